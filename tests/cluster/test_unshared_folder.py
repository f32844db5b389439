"""A machine that does not share the results: it gets no trial, and no result is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import search
from support.waiting import PATIENCE_S


def test_a_machine_without_the_results_folder_gets_no_trial(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    sweeps = shared / "sweeps"
    sweeps.mkdir()
    cluster = open_machines("good")
    cluster.join("bad", hidden=[sweeps])
    cluster.wait_for(3)
    out, err = search(cluster, "--trials", "4").communicate(timeout=PATIENCE_S)
    assert out.count("machine bad gets no trial: it does not share the sweep's folder") == 1, out + err
    assert pd.read_parquet(sweeps / "a" / "records" / "trials").state.isin(["COMPLETE", "PRUNED"]).sum() == 4


def test_a_cluster_of_such_machines_is_refused(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    sweeps = shared / "sweeps"
    sweeps.mkdir()
    cluster = open_machines()
    cluster.join("bad", hidden=[sweeps])
    cluster.join("worse", hidden=[sweeps, shared / "data"])
    cluster.wait_for(3)
    driver = search(cluster, "--trials", "4")
    _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2, err
    assert "bad: it does not share the sweep's folder" in err
    assert "the data: it sees no clips in" in err, err  # the middle of a long text is cut
    assert err.count("\n") == 1
