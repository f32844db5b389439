"""Tests of stages that run in actors outside the trials: their results, messages and failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.trial import find_pass_1
from autohier.data.store.reader import ClipStore
from autohier.sweep.execution.messages import EpochEnd, StageMessage, StageWait
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.rungs import open_rungs
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.context import SweepContext

FOLDS = ("protocol.validation=folds",)
pytestmark = pytest.mark.usefixtures("ray_address")


@contextmanager
def open_flat(folder: Path, data: Path, *overrides: str) -> Iterator[tuple[TrialConfig, SweepContext]]:
    """Yield the config of the tiny space's pass 1 and its context; stages lie in ``folder``."""
    from autohier.sweep.execution.actors.context import SweepContext
    from autohier.sweep.execution.leases.ray_leases import open_lease_table

    space, stages = load_space(str(SPACE_FILE), overrides), folder / "stages"
    rungs = open_rungs(space, within_pass_2=False)
    with open_lease_table(stages):
        yield (
            space.config(FLAT_PARAMS, seed=0),
            SweepContext(SweepFolder(folder / "sweep"), data / "demo", stages, "cpu", 1, rungs, 0),
        )


def hold_cores(number: int) -> Any:
    """Return an actor that occupies cores of the machine."""
    import ray

    class Idle:
        """Does nothing."""

    holder = ray.remote(num_cpus=number)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    return holder


def epochs_of(messages: list[StageMessage]) -> list[tuple[str, int]]:
    return [(message.stage, message.epoch) for message in messages if isinstance(message, EpochEnd)]


def test_an_unwritable_store_is_an_error_of_one_line(tmp_path: Path, tiny_data: Path) -> None:
    from autohier.sweep.execution.actors.stage_actor import run_in_stage_actor

    (tmp_path / "stages").write_text("not a folder")
    with (
        open_flat(tmp_path, tiny_data) as (flat, context),
        pytest.raises(OSError, match="stages") as raised,
    ):
        run_in_stage_actor("pass_1", flat, context, Share(1, 0, 1, 2), StopRequest(), lambda _: None)
    assert "\n" not in str(raised.value)


def test_a_stage_reports_that_it_waits_for_cores(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from autohier.sweep.execution.actors import stage_actor

    holder = hold_cores(2)
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 1.0)
    messages: list[StageMessage] = []

    def listen(message: StageMessage) -> None:
        if not messages:
            ray.kill(holder)
        messages.append(message)

    with open_flat(tmp_path, tiny_data) as (flat, context):
        share = Share(2, 0, 1, 2)
        result = stage_actor.run_in_stage_actor("pass_1", flat, context, share, StopRequest(), listen)
    assert messages[0] == StageWait("pass 1", "2 free cores on one machine")
    assert epochs_of(messages[1:]) == [("pass 1", 1), ("pass 1", 2)]
    assert len(result.epochs) == 2


def test_a_stage_that_waits_for_cores_can_be_interrupted(tmp_path: Path, tiny_data: Path) -> None:
    import ray

    from autohier.sweep.execution.actors.stage_actor import run_in_stage_actor

    holder, stop = hold_cores(2), StopRequest()
    stop.make()
    try:
        with open_flat(tmp_path, tiny_data) as (flat, context), pytest.raises(SweepInterruptedError):
            run_in_stage_actor("pass_1", flat, context, Share(2, 0, 1, 2), stop, lambda _: None)
    finally:
        ray.kill(holder)


def test_folds_are_trained_in_parallel(tmp_path: Path, tiny_data: Path) -> None:
    from autohier.sweep.execution.actors.stage_actor import train_folds

    messages: list[StageMessage] = []
    with open_flat(tmp_path, tiny_data, *FOLDS, "protocol.num_folds=3") as (flat, context):
        results = train_folds(flat, context, Share(1, 0, 2, 2), StopRequest(), 3, messages.append)
    trained = find_pass_1(open_tiny_trial(flat, ClipStore.open(tiny_data / "demo"), tmp_path / "stages"))
    assert trained is not None
    assert [result.key for result in results] == list(trained.keys)
    assert sorted(epochs_of(messages)) == [
        (f"pass 1 of fold {fold}", epoch) for fold in (1, 2, 3) for epoch in (1, 2)
    ]
    # Two at a time: the third begins when one of the others has ended.
    stages = [message.stage for message in messages]
    first = [stages.index(f"pass 1 of fold {fold}") for fold in (1, 2, 3)]
    assert first[2] > min(first[0], first[1]) + 1


def test_a_fold_uses_the_cores_of_a_finished_one(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from autohier.sweep.execution.actors import stage_actor

    holder = hold_cores(1)
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 0.1)
    messages: list[StageMessage] = []
    try:
        with open_flat(tmp_path, tiny_data, *FOLDS, "protocol.num_folds=2") as (flat, context):
            # The share promises two cores, and one of them is occupied.
            share = Share(1, 0, 2, 2)
            stage_actor.train_folds(flat, context, share, StopRequest(), 2, messages.append)
    finally:
        ray.kill(holder)
    assert StageWait("pass 1", "1 free core on one machine") in messages
    assert epochs_of(messages) == [(f"pass 1 of fold {fold}", epoch) for fold in (1, 2) for epoch in (1, 2)]


def test_a_stage_continues_in_another_process(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    import ray

    from autohier.sweep.execution.actors import stage_actor

    calls: list[Any] = []
    start = stage_actor._StageCall._start

    def start_and_note(call: Any) -> None:
        start(call)
        calls.append(call)

    monkeypatch.setattr(stage_actor._StageCall, "_start", start_and_note)
    monkeypatch.setattr(stage_actor, "_SIGNAL_S", 0.0)
    messages: list[StageMessage] = []

    def listen(message: StageMessage) -> None:
        messages.append(message)
        if len(calls) == 1 and len(epochs_of(messages)) == 1:
            os.kill(ray.get(calls[0]._actor.__ray_call__.remote(lambda _: os.getpid())), signal.SIGKILL)

    with open_flat(tmp_path, tiny_data, "pass_1.epochs=12") as (flat, context):
        share = Share(1, 0, 1, 2)
        result = stage_actor.run_in_stage_actor("pass_1", flat, context, share, StopRequest(), listen)
    assert len(calls) == 2
    assert StageWait("pass 1", "a process in place of the one that died") in messages
    assert len(result.epochs) == 12
    # Every epoch is passed on once, although the second process repeats those of the checkpoint.
    assert epochs_of(messages) == [("pass 1", epoch) for epoch in range(1, 13)]


def test_a_stage_whose_processes_die_repeatedly_is_lost(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from autohier.errors import LostProcessError
    from autohier.sweep.execution.actors import stage_actor

    class Dying(stage_actor.StageActor):
        def pass_1(self, fold: int | None = None) -> Any:
            os._exit(fold or 1)

    monkeypatch.setattr(stage_actor, "StageActor", Dying)
    monkeypatch.setattr(stage_actor, "_MAX_RESTARTS", 1)
    monkeypatch.setattr(stage_actor, "_SIGNAL_S", 0.0)
    lost = pytest.raises(LostProcessError, match="that runs pass 1 died repeatedly: give it more memory")
    with open_flat(tmp_path, tiny_data) as (flat, context), lost:
        stage_actor.run_in_stage_actor(
            "pass_1", flat, context, Share(1, 0, 1, 2), StopRequest(), lambda _: None
        )
