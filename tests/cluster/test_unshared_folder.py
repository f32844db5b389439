"""Machines that do not share the results or the data: they get no trial, and no result is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import search
from support.waiting import PATIENCE_S


def test_machines_without_the_folders_get_no_trial(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    sweeps = shared / "sweeps"
    sweeps.mkdir()
    cluster = open_machines()
    cluster.join("bad", hidden=[sweeps])
    cluster.join("worse", hidden=[sweeps, shared / "data"])
    cluster.wait_for(3)
    check_refused(cluster)

    cluster.join("good")
    cluster.wait_for(4)
    out, err = search(cluster, "--trials", "3").communicate(timeout=PATIENCE_S)
    for name in ("bad", "worse"):
        assert out.count(f"machine {name} gets no trial: ") == 1, out + err
    assert "machine bad gets no trial: it does not share the sweep's folder" in out
    assert pd.read_parquet(sweeps / "a" / "records" / "trials").state.isin(["COMPLETE", "PRUNED"]).sum() == 3


def check_refused(cluster: VirtualCluster) -> None:
    """Check that a sweep without any other machine says in one line why it cannot start."""
    driver = search(cluster, "--trials", "3")
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2, err
    assert "bad: it does not share the sweep's folder" in err
    assert "the data: it sees no clips in" in err, err  # the middle of a long text is cut
    assert err.count("\n") == 1
