"""A machine that gets a notice: its work continues elsewhere after the next epoch, and none is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import search
from support.waiting import PATIENCE_S, wait_until

EPOCHS = 40


@pytest.mark.slow
def test_pass_1_leaves_a_machine_that_gets_sigterm(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("first")
    driver = search(cluster, "--trials", "1", "--set", f"pass_1.epochs={EPOCHS}")
    partial = shared / "sweeps" / "stages" / "partial"
    wait_until(lambda: list(partial.glob("*")), "an epoch checkpoint of pass 1")
    cluster.join("second")
    cluster.wait_for(3)
    cluster.send_signal("first", signal.SIGTERM)
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    assert "machine first: it is drained" in out
    epochs = [line.split(":")[0] for line in out.splitlines() if line.startswith("pass 1, epoch")]
    assert epochs == [f"pass 1, epoch {number}" for number in range(1, EPOCHS + 1)]
