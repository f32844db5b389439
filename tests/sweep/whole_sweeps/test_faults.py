"""Tests of faults: after all of them a resumed sweep ends with the records of an undisturbed one.

One sweep runs undisturbed, one trial at a time. The same sweep is then disturbed by one fault after another,
each in the middle of a stage, and resumed whenever its driver ended. In the end its records must be equal to
the last bit, no trial may be lost or counted twice, and no epoch in an epoch checkpoint may be trained again.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from support.sweep_runs.forked_commands import Command
from support.sweep_runs.sweeps import Sweeps, finish, wait_while_running
from support.training.kept_epochs import count_epochs
from support.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

TRIALS = 2
OPTIONS = (
    *("--trials", str(TRIALS), "--parallel", "1"),
    *("--set", "pass_1.epochs=5", "--set", "pass_2.epochs=8", "--set", "pruning.epochs=5"),
    *("--set", "search.max_passes=2", "--set", "search.counts=divisors", "--set", "search.levels=1"),
    *("--set", "optimisation.batch_size=36"),
    # Without a refit, which repeats the training of the trials.
    *("--set", "initial=[]", "--set", "protocol.validation=paper"),
)
UNTIMED = ["number", "started_at", "finished_at", "seconds_computed", "seconds_reused"]
ENDED = {"COMPLETE", "PRUNED"}
EFFORT = ["epochs_computed", "epochs_reused"]


@dataclass(frozen=True)
class Disturbed:
    """A sweep under one driver, to be disturbed in a stage.

    Attributes:
        sweeps: which it is one of.
        driver: its driver.
        kind: of the stage: pass-1, pass-2 or prune.
        before: number of epochs in the epoch checkpoints that were there before.
    """

    sweeps: Sweeps
    driver: Command
    kind: str
    before: Mapping[str, int]

    @property
    def folder(self) -> Path:
        return self.sweeps.folder / "sweeps" / "faulty"

    @property
    def stages(self) -> Path:
        return self.sweeps.folder / "sweeps" / "stages"

    def is_in_a_stage(self) -> bool:
        """Return True once a stage of the kind has kept two epochs, one of them since the last fault."""
        counts = count_kept_epochs(self.sweeps, self.kind)
        return any(number >= max(2, self.before.get(name, 0) + 1) for name, number in counts.items())

    def count_unrecorded_epochs(self) -> int:
        """Return the number of stored epochs of pass 2 and pruning that no finished trial has recorded."""
        kinds = ("pass-2", "prune")
        finished = [file for kind in kinds for file in self.stages.glob(f"{kind}/*/epochs.parquet")]
        unfinished = [path for kind in kinds for path in self.stages.glob(f"partial/{kind}-*")]
        kept = sum(len(pd.read_parquet(file)) for file in finished) + sum(map(count_epochs, unfinished))
        if not kept:
            return 0
        trials = pd.read_parquet(self.folder / "records" / "trials")
        return kept - int(trials[trials.state.isin(ENDED)].epochs_computed.sum())

    def workers(self) -> list[int]:
        """Return the ids of the processes that train for this sweep: one, and none after its driver ended."""
        title = b"ray::StageActor" if self.kind == "pass-1" else b"ray::ImplicitFunc"
        parents = parents_of_all()
        return [pid for pid in parents if descends(pid, os.getpid(), parents) and title in command_line(pid)]


def begin(sweeps: Sweeps, driver: Command, kind: str) -> Disturbed:
    """Return a sweep under a driver, to be disturbed in the next stage of a kind."""
    return Disturbed(sweeps, driver, kind, count_kept_epochs(sweeps, kind))


def count_kept_epochs(sweeps: Sweeps, kind: str) -> dict[str, int]:
    """Return the number of epochs in every epoch checkpoint of a kind."""
    paths = (sweeps.folder / "sweeps" / "stages").glob(f"partial/{kind}-*")
    return {path.name: count_epochs(path) for path in paths}


def parents_of_all() -> dict[int, int]:
    """Return the parent of every process; processes that end meanwhile are left out."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor


def command_line(pid: int) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def stop_driver(number: signal.Signals) -> Callable[[Disturbed], None]:
    def act(sweep: Disturbed) -> None:
        os.kill(sweep.driver.pid, number)
        out, err = sweep.driver.communicate(timeout=PATIENCE_S)
        if number == signal.SIGKILL:
            assert sweep.driver.returncode == -signal.SIGKILL
        else:
            assert sweep.driver.returncode == 128 + number, out + err
            assert "autohier resume sweeps/faulty" in out
        # They outlive a killed driver by a moment, and may end an epoch in it.
        wait_until(lambda: not sweep.workers(), "the trials of a killed driver end")

    return act


def cut_journal(sweep: Disturbed) -> None:
    stop_driver(signal.SIGKILL)(sweep)
    journal = sweep.folder / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-9])


def flip_a_bit(sweep: Disturbed) -> None:
    stop_driver(signal.SIGKILL)(sweep)
    for file in sorted(sweep.stages.glob("pass-*/*/model.safetensors")):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


def fill_the_disk(sweep: Disturbed) -> None:
    """Limit the files that the worker writes to a few kilobytes, and wait until its driver ends."""
    (worker,) = sweep.workers()
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (20_000, 20_000))
    out, err = sweep.driver.communicate(timeout=PATIENCE_S)
    assert sweep.driver.returncode == 2, out + err
    assert "disk full" in out + err


KILLED_WORKERS = ("pass-1", "pass-2", "prune")
ENDED_DRIVERS = {
    # The first trial has one pruning pass, the second one two.
    "killed in pass 1": (stop_driver(signal.SIGKILL), "pass-1"),
    "Ctrl-C": (stop_driver(signal.SIGINT), "pass-2"),
    "stages flipped by a bit": (flip_a_bit, "prune"),
    "killed in pass 2 and journal cut in its last line": (cut_journal, "pass-2"),
    "disk full in pass 2": (fill_the_disk, "pass-2"),
    "SIGTERM": (stop_driver(signal.SIGTERM), "prune"),
    "disk full in pruning": (fill_the_disk, "prune"),
}
"""Faults after which a sweep is resumed."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, sweeps_in: Callable[[Path], Sweeps]) -> Path:
    sweeps = sweeps_in(tmp_path_factory.mktemp("undisturbed"))
    finish(sweeps.search("faulty", *OPTIONS))
    return sweeps.folder / "sweeps" / "faulty"


def test_trials_go_on_after_their_processes_are_killed(sweeps: Sweeps, undisturbed: Path) -> None:
    driver = sweeps.search("faulty", *OPTIONS)
    for kind in KILLED_WORKERS:
        sweep = begin(sweeps, driver, kind)
        wait_while_running(driver, sweep.is_in_a_stage)
        (worker,) = sweep.workers()
        os.kill(worker, signal.SIGKILL)
    finish(driver)
    check_same_work(undisturbed, sweep.folder)


def test_a_sweep_goes_on_after_every_end_of_its_driver(sweeps: Sweeps, undisturbed: Path) -> None:
    driver = sweeps.search("faulty", *OPTIONS)
    for act, kind in ENDED_DRIVERS.values():
        sweep = begin(sweeps, driver, kind)
        wait_while_running(driver, sweep.is_in_a_stage)
        act(sweep)
        driver = sweeps.start("resume", "faulty")
    finish(driver)
    check_same_work(undisturbed, sweep.folder)


def test_a_lost_machine_costs_no_trial(sweeps: Sweeps, undisturbed: Path, ray_cluster: Cluster) -> None:
    import ray

    class Idle:
        """Occupies the cores of the machine that stays, so that the sweep starts on the other one."""

    holder = ray.remote(num_cpus=2)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    machine = ray_cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
    sweep = begin(sweeps, sweeps.search("faulty", *OPTIONS), "pass-2")
    wait_while_running(sweep.driver, sweep.is_in_a_stage)

    ray_cluster.remove_node(machine, allow_graceful=False)
    unrecorded = sweep.count_unrecorded_epochs()
    ray.kill(holder)

    finish(sweep.driver)
    assert unrecorded >= 2
    check_same_work(undisturbed, sweep.folder)


def check_same_work(undisturbed: Path, folder: Path) -> None:
    """Check that two sweeps have equal records, and that no trial has trained an epoch more than once."""
    check_equal(undisturbed, folder)
    trials, expected = (pd.read_parquet(each / "records" / "trials") for each in (folder, undisturbed))
    assert set(trials.state) <= ENDED
    # Disturbed trials did not train the epochs in their epoch checkpoints again, and count them as their own.
    assert trials.epochs_computed.tolist() == expected.epochs_computed.tolist()
    assert trials.epochs_reused.tolist() == expected.epochs_reused.tolist()


def check_equal(undisturbed: Path, folder: Path) -> None:
    """Check that the records of two sweeps are equal, except for times and for reuse."""
    for rows, ignored in (
        ("trials", [*UNTIMED, *EFFORT]),
        ("stages", ["seconds", "reused"]),
        ("epochs", ["seconds", "waited_s"]),
        ("tests", ["evaluated_at"]),
    ):
        expected, actual = (
            pd.read_parquet(each / "records" / rows).drop(columns=ignored) for each in (undisturbed, folder)
        )
        pd.testing.assert_frame_equal(actual, expected)
