"""Machines that lose their power during a sweep: workers are replaced; without the head the sweep ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import resume, search
from support.waiting import PATIENCE_S, wait_until

EPOCHS = ("--set", "pass_1.epochs=40")


def checkpoints(shared: Path) -> int:
    """Return the number of files of unfinished stages, which are their epoch checkpoints."""
    return len(list((shared / "sweeps" / "stages" / "partial").glob("*")))


@pytest.mark.slow
def test_the_shared_pass_1_continues_on_another_machine(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("first")
    driver = search(cluster, "--trials", "1", *EPOCHS)
    wait_until(lambda: checkpoints(shared), "an epoch checkpoint of pass 1")
    cluster.join("second")
    cluster.wait_for(3)
    cluster.network.machines["first"].cut_power()
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    assert "waits for a process in place of the one that died" in out
    epochs = [line.split(":")[0] for line in out.splitlines() if line.startswith("pass 1, epoch")]
    assert epochs == [f"pass 1, epoch {number}" for number in range(1, 41)]


@pytest.mark.slow
def test_without_the_head_the_sweep_ends_and_can_be_resumed(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("driver", "first")
    driver = search(cluster, "--trials", "2", *EPOCHS)
    wait_until(lambda: checkpoints(shared), "an epoch checkpoint of pass 1")
    cluster.network.machines["head"].cut_power()
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 2, out + err
    assert "the head of the Ray cluster must answer, but got nothing" in out + err
    assert "autohier resume" in out + err
    again = open_machines("other")
    out, err = resume(again).communicate(timeout=PATIENCE_S)
    assert "2 of 2 trials" in out, out + err
    assert len(pd.read_parquet(shared / "sweeps" / "a" / "records" / "trials")) == 2
