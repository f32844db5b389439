"""The contract of reporters: each takes a whole trial's events in order, and hears of every stage once."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from autohier.cli.computing import ConsoleReporter
from autohier.core.stages.reporter import RefitReporter, Reporter, Reporters
from autohier.core.trial import TrialOutcome
from autohier.records.progress import Progress
from autohier.records.tensorboard import TensorBoardReporter
from autohier.settings.choice import Choice
from fake_outcomes import CHOICE, fake_epoch, fake_outcome, fake_stage, replay
from fake_stages import Told

Heard = Callable[[], list[float]]
"""Gives the validation accuracies of the stages that a reporter has heard the end of."""


def make_progress(folder: Path) -> tuple[Reporter, Heard]:  # noqa: ARG001
    progress = Progress()
    return progress, lambda: [stage.accuracy for stage in progress.stages]


def make_tensorboard(folder: Path) -> tuple[Reporter, Heard]:
    def heard() -> list[float]:
        (path,) = folder.glob("*.curves")
        return [
            value.tensor.float_val[0]
            for event in EventFileLoader(str(path)).Load()
            for value in event.summary.value
            if value.tag == "stage/accuracy"
        ]

    return TensorBoardReporter(folder, CHOICE), heard


def make_reporters(folder: Path) -> tuple[Reporter, Heard]:  # noqa: ARG001
    progress, told = Progress(), Told()

    def heard() -> list[float]:
        first = [stage.accuracy for stage in progress.stages]
        assert first == [event[3].accuracy for event in told.events if event[0] == "finished"]
        return first

    return Reporters(progress, told), heard


def make_console(folder: Path) -> tuple[Reporter, Heard]:  # noqa: ARG001
    console = Console(file=io.StringIO(), width=120, record=True)

    def heard() -> list[float]:
        lines = console.export_text(clear=False).splitlines()
        ends = [line for line in lines if "epoch" not in line and "waits" not in line]
        return [float(line.split("validation ")[1].split("%")[0]) / 100 for line in ends]

    return ConsoleReporter(console), heard


every_reporter = pytest.mark.parametrize(
    "make", [make_progress, make_tensorboard, make_reporters, make_console]
)
Maker = Callable[[Path], tuple[Reporter, Heard]]


def accuracies(outcome: TrialOutcome) -> object:
    return pytest.approx([stage.accuracy for stage in outcome.stages], abs=5e-5)


@every_reporter
@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(fake_outcome(72, (78, 81, 80)), id="pass 1 found, the rest computed"),
        pytest.param(fake_outcome(72, (78,)), id="nothing pruned"),
        pytest.param(
            TrialOutcome(
                fake_outcome().setting,
                (
                    fake_stage("pass-1", 0, 70, reused=True),
                    fake_stage("pass-2", 0, 80, reused=True),
                    fake_stage("prune", 1, 79, reused=True),
                ),
                0,
            ),
            id="all found",
        ),
    ],
)
def test_a_whole_trial_is_heard(make: Maker, tmp_path: Path, outcome: TrialOutcome) -> None:
    reporter, heard = make(tmp_path)
    replay(outcome, reporter)
    assert heard() == accuracies(outcome)


@every_reporter
def test_a_trial_without_superclasses_is_heard(make: Maker, tmp_path: Path) -> None:
    flat = Choice(superclasses=(), weight_ratio=1.0, scope="by-layer", ratio=0.0, passes=0)
    pass_1 = fake_stage("pass-1", 0, 72)
    outcome = TrialOutcome(fake_outcome(choice=flat).setting, (pass_1, pass_1), 0)
    reporter, heard = make(tmp_path)
    replay(outcome, reporter)
    assert heard() == accuracies(outcome)


@every_reporter
def test_a_trial_that_ends_within_a_stage_is_heard_up_to_there(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    reporter, heard = make(tmp_path)
    replay(outcome, reporter)
    reporter.stage_started("prune", 1, reused=False)
    reporter.epoch_finished("prune", 1, fake_epoch(0, 60, 3), reused=False)
    assert heard() == accuracies(outcome)


@every_reporter
def test_a_stage_may_begin_anew(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    reporter, heard = make(tmp_path)
    reporter.stage_started("pass-1", 0, reused=False)
    reporter.epoch_finished("pass-1", 0, fake_epoch(0, 60, 1), reused=False)
    replay(outcome, reporter)
    assert heard() == accuracies(outcome)


@every_reporter
def test_a_trial_that_waits_for_others_is_heard_as_if_it_had_not(make: Maker, tmp_path: Path) -> None:
    outcome = fake_outcome(72, (78,))
    reporter, heard = make(tmp_path)
    reporter.stage_waits("pass-1", 0, "t0003")
    reporter.stage_waits("pass-1", 0, "t0004")
    replay(outcome, reporter)
    assert heard() == accuracies(outcome)


def test_no_reporters_are_a_reporter() -> None:
    replay(fake_outcome(), Reporters())


def test_reporters_are_told_in_their_order() -> None:
    class First(Told):
        def stage_started(self, kind: object, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
            assert not second.events

    second = Told()
    reporters = Reporters(First(), second)
    reporters.stage_started("pass-1", 0, reused=False)
    reporters.stage_waits("pass-1", 0, "t0003")
    assert second.events == [("started", "pass-1", 0, False), ("waits", "pass-1", 0, "t0003")]


def test_the_console_shows_epochs_as_they_come_and_not_those_that_were_found() -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    reporter = ConsoleReporter(console)
    reporter.stage_waits("pass-1", 0, "t0003")
    replay(fake_outcome(72, (78, 81)), reporter)
    # 72, 78 and 81 of 120 clips; an epoch takes a second for 480 clips, its losses are 2 and 1.
    assert console.export_text().splitlines() == [
        "pass 1: waits for t0003",
        "pass 1: validation 60.00%, found in the stage store",
        "pass 2, epoch 1: loss 2.000, validation 65.00%, 480 clips/s",
        "pass 2, epoch 2: loss 1.000, validation 65.00%, 480 clips/s",
        "pass 2: validation 65.00%, 3 s",
        "prune 1, epoch 1: loss 2.000, validation 67.50%, 480 clips/s",
        "prune 1, epoch 2: loss 1.000, validation 67.50%, 480 clips/s",
        "prune 1: validation 67.50%, 3 s",
    ]


def test_what_a_refit_measures_on_clips_that_it_trains_on_is_told_to_nobody() -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    told = Told()
    replay(fake_outcome(72, (78,)), RefitReporter(Reporters(ConsoleReporter(console), told)))
    assert console.export_text().splitlines() == [
        "pass 1: on all training clips, found in the stage store",
        "pass 2, epoch 1: loss 2.000, on all training clips, 480 clips/s",
        "pass 2, epoch 2: loss 1.000, on all training clips, 480 clips/s",
        "pass 2: on all training clips, 3 s",
    ]
    epochs = [event[3] for event in told.events if event[0] == "epoch"]
    results = [event[3] for event in told.events if event[0] == "finished"]
    assert epochs
    assert len(results) == 2
    assert all(math.isnan(value) for told in (*epochs, *results) for value in told.stack_accuracies)
    assert all(math.isnan(metrics.validation_loss) for metrics in epochs)
    assert [metrics.loss for metrics in epochs[-2:]] == [2.0, 1.0]
