"""Machines that lose their power or network: workers are replaced; without the head a sweep ends."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from autohier.records.reader import read_records
from support.cluster import held_work
from support.cluster.machines import Machine
from support.cluster.ray_cluster import VirtualCluster
from support.cluster.sweeps import resume, search
from support.sweep_runs.untimed_records import untimed_rows
from support.waiting import PATIENCE_S, wait_until

EPOCHS = ("--set", "pass_1.epochs=40")


def checkpoints(shared: Path) -> int:
    """Return the number of files of unfinished stages, which are their epoch checkpoints."""
    return len(list((shared / "sweeps" / "stages" / "partial").glob("*")))


def epochs_of_pass_1(out: str) -> list[str]:
    """Return the epochs of pass 1 that the driver printed, e.g. "pass 1, epoch 1"."""
    return [line.split(":")[0] for line in out.splitlines() if line.startswith("pass 1, epoch")]


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
    assert epochs_of_pass_1(out) == [f"pass 1, epoch {number}" for number in range(1, 41)]


@pytest.mark.slow
def test_a_machine_that_loses_its_network_is_replaced(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("first")
    driver = search(cluster, "--trials", "1", *EPOCHS)
    wait_until(lambda: checkpoints(shared), "an epoch checkpoint of pass 1")
    cluster.join("second")
    cluster.wait_for(3)
    cluster.network.machines["first"].cut_cable()  # its processes still run
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    trials = pd.read_parquet(shared / "sweeps" / "a" / "records" / "trials")
    assert list(trials.state) == ["COMPLETE"], out + err
    stages = pd.read_parquet(shared / "sweeps" / "a" / "records" / "stages")
    assert not stages.duplicated(["trial", "key"]).any()


@pytest.mark.slow
def test_a_trial_that_waits_takes_over_the_stage_of_a_lost_machine(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    cluster = open_machines("first")
    driver = search(cluster, "--trials", "2", *EPOCHS)
    wait_until(lambda: checkpoints(shared), "an epoch checkpoint of pass 1")
    second = cluster.join("second")
    wait_until(lambda: runs_a_trial(cluster, second), "a trial on the second machine", pause_s=0.5)
    cluster.network.machines["first"].cut_power()
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    assert epochs_of_pass_1(out) == [f"pass 1, epoch {number}" for number in range(1, 41)]
    trials = pd.read_parquet(shared / "sweeps" / "a" / "records" / "trials")
    assert trials.state.isin(["COMPLETE", "PRUNED"]).sum() == 2, out + err


def runs_a_trial(cluster: VirtualCluster, machine: Machine) -> bool:
    """Return True if a process of a trial is on a machine."""
    command = ["pgrep", "-f", "ray::(ImplicitFunc|StageActor)"]
    looking = machine.start(command, environment=cluster.environment, folder=cluster.network.shared)
    return bool(looking.communicate()[0])


@pytest.mark.slow
def test_refit_and_test_evaluation_continue_on_other_machines(
    open_machines: Callable[..., VirtualCluster], shared: Path
) -> None:
    shutil.copy(held_work.__file__, shared / "sitecustomize.py")
    cluster = open_machines("first", "second", "third")
    options = ("--trials", "2", "--scheduler", "none", "--set", "pass_1.epochs=3")
    first = search(cluster, *options)
    out, err = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, out + err
    undisturbed, sweep = shared / "undisturbed", shared / "sweeps" / "a"
    (shared / "sweeps").rename(undisturbed)

    held = shared / held_work.FOLDER
    held.mkdir()
    driver = search(cluster, *options)
    lost = {cut_power_at(held / held_work.IN_REFIT, cluster, driver, lambda: epochs_of_refit(sweep) == [1])}
    lost.add(cut_power_at(held / held_work.IN_TEST, cluster, driver, lambda: epochs_of_refit(sweep) > [3]))
    out, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, out + err
    assert len(lost) == 2
    assert out.count("tests: waits for a process in place of the one that died") == 2, out
    rows = untimed_rows(sweep)
    assert rows["tests"]
    assert rows == untimed_rows(undisturbed / "a")
    assert epochs_of_refit(sweep) == epochs_of_refit(undisturbed / "a")  # no epoch is trained twice


def cut_power_at(
    place: Path, cluster: VirtualCluster, driver: subprocess.Popen[str], is_recorded: Callable[[], bool]
) -> str:
    """Cut the power of the machine held at a place once the driver has its epochs; return its name."""
    wait_until(
        lambda: driver.poll() is not None or (place.exists() and place.read_text() and is_recorded()),
        f"a machine stays at {place}",
        pause_s=0.2,
    )
    assert driver.poll() is None, driver.communicate()
    name = place.read_text()
    cluster.network.machines[name].cut_power()
    return name


def epochs_of_refit(sweep: Path) -> list[int]:
    """Return the number of epochs that the refit has trained; empty before its first."""
    work = read_records(sweep / "records").work
    return [row.epochs_computed for row in work if row.name.startswith("refit")]


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
