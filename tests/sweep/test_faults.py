"""Any process may die at any moment: every fault ends in the records of a sweep that was left alone.

One sweep is run undisturbed, one trial at a time. Under each fault the same sweep is disturbed in the middle
of a stage and resumed where its driver ended; then what it found must be the same to the last bit, no setting
lost or counted twice, and no epoch trained again that an epoch checkpoint held.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from safetensors.torch import load

from sweeps import PATIENCE_S, Sweeps, finish

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

TRIALS = 2
INTERRUPTED = 130
OPTIONS = (
    *("--trials", str(TRIALS), "--parallel", "1"),
    *("--set", "pass_1.epochs=5", "--set", "pass_2.epochs=8", "--set", "pruning.epochs=5"),
    *("--set", "search.max_passes=2", "--set", "search.counts=divisors", "--set", "search.levels=1"),
    *("--set", "optimisation.batch_size=36"),
    # Without a refit, which repeats what the trials do.
    *("--set", "known=[]", "--set", "protocol.validation=paper"),
)
UNTIMED = ["number", "started_at", "finished_at", "seconds_computed", "seconds_spared"]
ENDED = {"COMPLETE", "PRUNED"}
EFFORT = ["epochs_computed", "epochs_spared"]


@dataclass(frozen=True)
class Disturbed:
    """A sweep in the middle of a stage."""

    sweeps: Sweeps
    driver: subprocess.Popen[str]
    kind: str
    """Of the stage: pass-1, pass-2 or prune."""

    @property
    def folder(self) -> Path:
        return self.sweeps.folder / "sweeps" / "faulty"

    @property
    def stages(self) -> Path:
        return self.sweeps.folder / "sweeps" / "stages"

    def wait_for(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.driver.poll() is None, self.driver.communicate()
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.02)

    def in_the_middle(self) -> bool:
        return any(num_kept(path) >= 2 for path in self.stages.glob(f"partial/{self.kind}-*"))

    def epochs_in_no_record(self) -> int:
        """Epochs of pass 2 and pruning that are kept and that no trial that ended has told of."""
        kinds = ("pass-2", "prune")
        finished = [file for kind in kinds for file in self.stages.glob(f"{kind}/*/epochs.parquet")]
        unfinished = [path for kind in kinds for path in self.stages.glob(f"partial/{kind}-*")]
        kept = sum(len(pd.read_parquet(file)) for file in finished) + sum(map(num_kept, unfinished))
        if not kept:
            return 0
        trials = pd.read_parquet(self.folder / "records" / "trials")
        return kept - int(trials[trials.state.isin(ENDED)].epochs_computed.sum())

    def workers(self) -> list[int]:
        """The processes of this sweep that train; there is one, and none once its driver is gone."""
        title = b"ray::StageActor" if self.kind == "pass-1" else b"ray::ImplicitFunc"
        parents = parents_of_all()
        return [pid for pid in parents if descends(pid, os.getpid(), parents) and title in command_line(pid)]


def num_kept(path: Path) -> int:
    """Epochs that an epoch checkpoint holds."""
    try:
        content = path.read_bytes()[32:]
    except FileNotFoundError:
        return 0
    told = bytes(load(content)["told"].numpy())
    return told.count(b'"validation_loss"')


def parents_of_all() -> dict[int, int]:
    """Every process with its parent; processes that end meanwhile are left out."""
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
            assert sweep.driver.returncode == INTERRUPTED, out + err
            assert "autohier resume sweeps/faulty" in out
        deadline = time.monotonic() + PATIENCE_S
        while sweep.workers():  # they outlive a killed driver by a moment, in which they may end an epoch
            assert time.monotonic() < deadline, "the trials of a killed driver go on"
            time.sleep(0.1)

    return act


def kill_worker(sweep: Disturbed) -> None:
    (worker,) = sweep.workers()
    os.kill(worker, signal.SIGKILL)


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
    """From now on the worker can write no more than a few kilobytes into a file, until its driver ends."""
    (worker,) = sweep.workers()
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (20_000, 20_000))
    out, err = sweep.driver.communicate(timeout=PATIENCE_S)
    assert sweep.driver.returncode == 2, out + err
    assert "disk full" in out + err


FAULTS = {
    "Ctrl-C": (stop_driver(signal.SIGINT), "pass-2"),
    "SIGTERM": (stop_driver(signal.SIGTERM), "prune"),
    "driver killed": (stop_driver(signal.SIGKILL), "pass-2"),
    "driver killed in pass 1": (stop_driver(signal.SIGKILL), "pass-1"),
    "worker killed in pass 1": (kill_worker, "pass-1"),
    "worker killed in pass 2": (kill_worker, "pass-2"),
    "worker killed in pruning": (kill_worker, "prune"),
    "journal cut in its last line": (cut_journal, "pass-2"),
    "stages flipped by a bit": (flip_a_bit, "prune"),
    "disk full in pass 2": (fill_the_disk, "pass-2"),
    "disk full in pruning": (fill_the_disk, "prune"),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, ray_address: str) -> Path:
    sweeps = Sweeps(tmp_path_factory.mktemp("undisturbed"), tiny_data, ray_address)
    finish(sweeps.search("faulty", *OPTIONS))
    return sweeps.folder / "sweeps" / "faulty"


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sweep_ends_as_if_nothing_had_happened(sweeps: Sweeps, undisturbed: Path, fault: str) -> None:
    act, kind = FAULTS[fault]
    sweep = Disturbed(sweeps, sweeps.search("faulty", *OPTIONS), kind)
    sweep.wait_for(sweep.in_the_middle)

    act(sweep)
    taken_over = sweep.epochs_in_no_record()
    if sweep.driver.poll() is None:
        sweep.driver.communicate(timeout=2 * PATIENCE_S)
    if sweep.driver.returncode:
        finish(sweeps.start("resume", "faulty"))

    same(undisturbed, sweep.folder)
    trials, expected = (
        pd.read_parquet(folder / "records" / "trials") for folder in (sweep.folder, undisturbed)
    )
    assert set(trials.state) <= ENDED
    # What the trial had trained that was disturbed, to its last epoch checkpoint, was not trained again.
    if "bit" not in fault:
        assert expected.epochs_computed.sum() - trials.epochs_computed.sum() == taken_over


def test_a_machine_may_be_lost_with_its_trials(
    sweeps: Sweeps, undisturbed: Path, ray_cluster: Cluster
) -> None:
    import ray

    class Idle:
        """Holds the cores of the machine that stays, so that all begins on the other one."""

    holder = ray.remote(num_cpus=2)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    machine = ray_cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
    sweep = Disturbed(sweeps, sweeps.search("faulty", *OPTIONS), "pass-2")
    sweep.wait_for(sweep.in_the_middle)

    ray_cluster.remove_node(machine, allow_graceful=False)
    taken_over = sweep.epochs_in_no_record()
    ray.kill(holder)

    finish(sweep.driver)
    same(undisturbed, sweep.folder)
    trials = pd.read_parquet(sweep.folder / "records" / "trials")
    expected = pd.read_parquet(undisturbed / "records" / "trials")
    # The trial's process outlives its machine's by a moment, in which it may end another epoch.
    assert expected.epochs_computed.sum() - trials.epochs_computed.sum() >= taken_over >= 2


def same(undisturbed: Path, folder: Path) -> None:
    """All records of two sweeps are equal, but for times and for who trained what."""
    for rows, ignored in (
        ("trials", [*UNTIMED, *EFFORT]),
        ("stages", ["seconds", "reused"]),
        ("epochs", ["seconds"]),
        ("tests", ["read_at"]),
    ):
        expected, found = (
            pd.read_parquet(each / "records" / rows).drop(columns=ignored) for each in (undisturbed, folder)
        )
        pd.testing.assert_frame_equal(found, expected)
