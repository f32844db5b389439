"""Tests of the reports that a trial sends its driver."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.stages.kinds.hac import PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.sweep.execution.messages import (
    EpochEnd,
    Message,
    StageEnd,
    StageReused,
    StageWait,
    TrialStopped,
    from_report,
)
from autohier.sweep.execution.ray_session.session import be_quiet
from support.fakes.fake_outcomes import fake_epoch, fake_outcome

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.trial_actor import TuneReporter

END = TrialStopped((0.5,), (), "weak")


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Message, ...]]:
    """Messages of every report that Ray Tune receives."""
    be_quiet()  # Ray reads its environment when it is imported
    received: list[tuple[Message, ...]] = []
    monkeypatch.setattr(
        "autohier.sweep.execution.actors.trial_actor.tune.report",
        lambda report: received.append(from_report(report)),
    )
    return received


def open_reporter() -> TuneReporter:
    from autohier.sweep.execution.actors.trial_actor import TuneReporter

    return TuneReporter(fake_outcome().config)


def run_stage(reporter: TuneReporter, stage: StageResult, *, reused: bool) -> None:
    """Call a reporter as the stage runner does."""
    reporter.on_stage_start(stage.kind, stage.pass_index, reused=reused)
    for metrics in stage.epochs:
        reporter.on_epoch_end(stage.kind, stage.pass_index, metrics, reused=reused)
    reporter.on_stage_end(replace(stage, reused=reused))


def test_a_reused_chain_is_one_report_with_the_end(reports: list[tuple[Message, ...]]) -> None:
    reporter, stages = open_reporter(), fake_outcome().stages
    for stage in stages:
        run_stage(reporter, stage, reused=True)
    assert reports == []
    reporter.report_end(END)
    reused = [StageReused(stage.label, len(stage.epochs), stage.accuracy) for stage in stages]
    assert reports == [(*reused, END)]


def test_reused_stages_are_reported_before_a_stage_is_trained(reports: list[tuple[Message, ...]]) -> None:
    reporter = open_reporter()
    pass_1, pass_2 = fake_outcome().stages[:2]
    run_stage(reporter, pass_1, reused=True)
    reporter.on_stage_start(pass_2.kind, pass_2.pass_index, reused=False)
    assert reports == [(StageReused("pass 1", len(pass_1.epochs), pass_1.accuracy),)]
    reporter.on_epoch_end(PASS_2, 0, fake_epoch(0, 60, 3), reused=True)
    reporter.on_epoch_end(PASS_2, 0, fake_epoch(1, 90, 3), reused=False)
    reporter.on_stage_end(replace(pass_2, reused=False))
    # 60 and 90 of 120 clips are right.
    assert reports[1:] == [
        (EpochEnd("pass 2", 1, 0.5, reused=True, seconds=1.0),),
        (EpochEnd("pass 2", 2, 0.75, reused=False, seconds=1.0),),
        (StageEnd("pass 2", pass_2.accuracy),),
    ]


def test_a_wait_is_reported(reports: list[tuple[Message, ...]]) -> None:
    open_reporter().on_stage_wait(PRUNE, 2, "t0001")
    assert reports == [(StageWait("prune 2", "t0001"),)]


def test_epochs_are_reported_by_fold(reports: list[tuple[Message, ...]]) -> None:
    from autohier.sweep.execution.actors.trial_actor import TuneReporter

    folds = ("protocol.validation=folds", "protocol.num_folds=2", "pass_2.epochs=3")
    reporter = TuneReporter(load_space("demo", folds).config(FLAT_PARAMS, seed=0))
    reporter.on_stage_start(PASS_2, 0, reused=False)
    (stage,) = (stage for stage in fake_outcome().stages if stage.kind == PASS_2)
    for number in range(6):
        reporter.on_epoch_end(PASS_2, 0, replace(stage.epochs[0], epoch=number), reused=False)
    received = [message for (message,) in reports if isinstance(message, EpochEnd)]
    assert [(message.stage, message.epoch) for message in received] == [
        (f"pass 2 of fold {fold}", epoch) for fold in (1, 2) for epoch in (1, 2, 3)
    ]
