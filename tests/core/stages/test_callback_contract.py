"""The contract of callbacks: each accepts all events of a trial in order and records every stage once."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from autohier.cli.console_callback import ConsoleCallback
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.stages.callbacks import CallbackList, RefitCallback, TrialCallback
from autohier.core.stages.kinds.hac import PASS_1, PRUNE
from autohier.core.trial import TrialOutcome
from autohier.records.history import TrialHistory
from autohier.records.tensorboard.callback import TensorBoardCallback
from support.fakes.fake_outcomes import PARAMS, fake_config, fake_epoch, fake_outcome, fake_stage, replay
from support.fakes.fake_stages import RecordingCallback

ReadAccuracies = Callable[[], list[float]]
"""Returns the validation accuracies of the finished stages that a callback has recorded."""


def make_history(folder: Path) -> tuple[TrialCallback, ReadAccuracies]:  # noqa: ARG001
    history = TrialHistory()
    return history, lambda: [stage.accuracy for stage in history.stages]


def make_tensorboard(folder: Path) -> tuple[TrialCallback, ReadAccuracies]:
    def read() -> list[float]:
        (path,) = folder.glob("*.curves")
        return [
            value.tensor.float_val[0]
            for event in EventFileLoader(str(path)).Load()
            for value in event.summary.value
            if value.tag == "stage/accuracy"
        ]

    return TensorBoardCallback(folder, PARAMS), read


def make_list(folder: Path) -> tuple[TrialCallback, ReadAccuracies]:  # noqa: ARG001
    history, recorder = TrialHistory(), RecordingCallback()

    def read() -> list[float]:
        first = [stage.accuracy for stage in history.stages]
        assert first == [event[3].accuracy for event in recorder.events if event[0] == "finished"]
        return first

    return CallbackList(history, recorder), read


def make_console(folder: Path) -> tuple[TrialCallback, ReadAccuracies]:  # noqa: ARG001
    console = Console(file=io.StringIO(), width=120, record=True)

    def read() -> list[float]:
        lines = console.export_text(clear=False).splitlines()
        ends = [line for line in lines if "epoch" not in line and "waiting" not in line]
        return [float(line.split("validation accuracy ")[1].split("%")[0]) / 100 for line in ends]

    return ConsoleCallback(console, fake_config()), read


every_callback = pytest.mark.parametrize("make", [make_history, make_tensorboard, make_list, make_console])
Maker = Callable[[Path], tuple[TrialCallback, ReadAccuracies]]


def accuracies(outcome: TrialOutcome) -> object:
    return pytest.approx([stage.accuracy for stage in outcome.stages], abs=5e-5)


@every_callback
@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(fake_outcome(72, (78, 81, 80)), id="pass 1 reused, the rest trained"),
        pytest.param(fake_outcome(72, (78,)), id="nothing pruned"),
        pytest.param(
            TrialOutcome(
                fake_outcome().config,
                (
                    fake_stage("pass-1", 0, 70, reused=True),
                    fake_stage("pass-2", 0, 80, reused=True),
                    fake_stage("prune", 1, 79, reused=True),
                ),
                0,
            ),
            id="all reused",
        ),
    ],
)
def test_a_complete_trial_is_recorded(make: Maker, tmp_path: Path, outcome: TrialOutcome) -> None:
    callback, read = make(tmp_path)
    replay(outcome, callback)
    assert read() == accuracies(outcome)


@every_callback
def test_a_trial_without_superclasses_is_recorded(make: Maker, tmp_path: Path) -> None:
    flat = Hyperparameters(superclasses=(), weight_ratio=1.0, scope="layerwise", ratio=0.0, passes=0)
    pass_1 = fake_stage("pass-1", 0, 72)
    outcome = TrialOutcome(fake_outcome(params=flat).config, (pass_1, pass_1), 0)
    callback, read = make(tmp_path)
    replay(outcome, callback)
    assert read() == accuracies(outcome)


@every_callback
def test_a_trial_that_ends_within_a_stage_is_recorded_up_to_that_stage(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    callback, read = make(tmp_path)
    replay(outcome, callback)
    callback.on_stage_start(PRUNE, 1, reused=False)
    callback.on_epoch_end(PRUNE, 1, fake_epoch(0, 60, 3), reused=False)
    assert read() == accuracies(outcome)


@every_callback
def test_a_stage_may_restart(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    callback, read = make(tmp_path)
    callback.on_stage_start(PASS_1, 0, reused=False)
    callback.on_epoch_end(PASS_1, 0, fake_epoch(0, 60, 1), reused=False)
    replay(outcome, callback)
    assert read() == accuracies(outcome)


@every_callback
def test_waiting_for_other_trials_does_not_change_the_record(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    callback, read = make(tmp_path)
    callback.on_stage_wait(PASS_1, 0, "t0003")
    callback.on_stage_wait(PASS_1, 0, "t0004")
    replay(outcome, callback)
    assert read() == accuracies(outcome)


def test_an_empty_list_is_a_callback() -> None:
    replay(fake_outcome(), CallbackList())


def test_a_list_calls_its_callbacks_in_order() -> None:
    class First(RecordingCallback):
        def on_stage_start(self, kind: object, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
            assert not second.events

    second = RecordingCallback()
    callbacks = CallbackList(First(), second)
    callbacks.on_stage_start(PASS_1, 0, reused=False)
    callbacks.on_stage_wait(PASS_1, 0, "t0003")
    assert second.events == [("started", "pass-1", 0, False), ("waits", "pass-1", 0, "t0003")]


def test_the_console_shows_trained_epochs_but_not_reused_ones() -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    callback = ConsoleCallback(console, fake_config())
    callback.on_stage_wait(PASS_1, 0, "t0003")
    replay(fake_outcome(72, (78, 81)), callback)
    # 72, 78 and 81 of 120 clips are correct. An epoch takes one second for 480 clips; losses are 2 and 1.
    assert console.export_text().splitlines() == [
        "pass 1: waiting for t0003",
        "pass 1: validation accuracy 60.00%, reused from the stage store",
        "pass 2, epoch 1: training loss 2.000, validation accuracy 65.00%, 480 clips/s",
        "pass 2, epoch 2: training loss 1.000, validation accuracy 65.00%, 480 clips/s",
        "pass 2: validation accuracy 65.00%, trained in 3 s",
        "prune 1, epoch 1: training loss 2.000, validation accuracy 67.50%, 480 clips/s",
        "prune 1, epoch 2: training loss 1.000, validation accuracy 67.50%, 480 clips/s",
        "prune 1: validation accuracy 67.50%, trained in 3 s",
    ]


def test_validation_results_of_a_refit_are_reported_as_nan() -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    recorder = RecordingCallback()
    replay(
        fake_outcome(72, (78,)),
        RefitCallback(CallbackList(ConsoleCallback(console, fake_config()), recorder)),
    )
    assert console.export_text().splitlines() == [
        "pass 1: on all training clips, reused from the stage store",
        "pass 2, epoch 1: training loss 2.000, on all training clips, 480 clips/s",
        "pass 2, epoch 2: training loss 1.000, on all training clips, 480 clips/s",
        "pass 2: on all training clips, trained in 3 s",
    ]
    epochs = [event[3] for event in recorder.events if event[0] == "epoch"]
    results = [event[3] for event in recorder.events if event[0] == "finished"]
    assert epochs
    assert len(results) == 2
    assert all(math.isnan(value) for each in (*epochs, *results) for value in each.stack_accuracies)
    assert all(math.isnan(metrics.validation_loss) for metrics in epochs)
    assert [metrics.loss for metrics in epochs[-2:]] == [2.0, 1.0]
