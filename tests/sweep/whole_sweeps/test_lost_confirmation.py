"""Runs of a confirmation that failed because of a disk or a lost process: the next driver runs them again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from autohier.config.sweep import SweepPlan
from autohier.errors import FailureClass
from autohier.records.reader import read_records
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.sweep import driver
from autohier.sweep.choice.winner import read_chosen, wanted_runs
from autohier.sweep.execution.signals import SweepInterruptedError
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from support.sweep_runs.plans import make_provenance
from support.sweep_runs.recorded_sweeps import RecordedSweep, open_recorded_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> RecordedSweep:
    """A finished search of three trials, of which none was confirmed yet."""
    sweep = open_recorded_sweep(tmp_path, "protocol.validation=paper")
    for chain in ((60, 61), (78, 80), (80, 84)):
        sampled = sweep.complete(*chain)
    sweep.test(sampled, 0.75)
    return sweep


def plan_of(sweep: RecordedSweep) -> SweepPlan:
    plan, _ = sweep.folder.read_plan()
    return plan.model_copy(update={"trials": 3, "confirm": "2x1", "choose": "highest", "decide": "fresh"})


def fail_all(sweep: RecordedSweep, plan: SweepPlan, failure: FailureClass) -> None:
    """Record that every run of the nominees failed."""
    study = ConfirmationStudy(plan, sweep.study.storage)
    study.add(wanted_runs(read_chosen(sweep.folder, plan), plan))
    while (run := study.next_trial()) is not None:
        recorder = TrialRecorder(
            sweep.folder.records, sweep.folder.tensorboard, run.config, trial=run.name, number=None,
            trial_index=None, source=run.source, role=run.role, confirms=run.confirms,
        )  # fmt: skip
        recorder.fail("broken", failure)
        study.record_failure(run, "broken", failure)


@pytest.mark.parametrize(("failure", "runs_again"), [("lost process", True), ("bug", False)])
def test_the_next_driver_runs_them_again(
    sweep: RecordedSweep, failure: FailureClass, runs_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(sweep)
    sweep.folder.write_plan(plan, make_provenance())
    fail_all(sweep, plan, failure)
    sessions = []

    def session(*_: object) -> None:
        sessions.append(plan)
        raise SweepInterruptedError

    monkeypatch.setattr(driver, "ray_session", session)
    said = io.StringIO()
    end = driver.drive(sweep.folder, plan, Console(file=said, width=200))
    assert (bool(sessions), end.interrupted) == (runs_again, runs_again)
    assert ("running 3 unfinished trials of an earlier driver again" in said.getvalue()) == runs_again
    states = {row.state for row in read_records(sweep.folder.records).trials if row.role != "search"}
    assert states == {"REQUEUED" if runs_again else "FAIL"}
