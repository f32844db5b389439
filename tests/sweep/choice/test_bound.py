"""A bound on multiply-adds: who is kept, ranked, nominated and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.records.reader import Records
from autohier.reports.sweeps.report import best_config
from autohier.sweep.choice.confirmation import NOMINEE
from autohier.sweep.choice.winner import read_chosen, wanted_runs
from autohier.sweep.phases.refits import missing_refits
from autohier.sweep.recovery.record_repair import repair_records
from support.command_line import Autohier
from support.fakes.fake_outcomes import fake_outcome
from support.sweep_runs.recorded_sweeps import RecordedSweep, open_recorded_sweep

PRUNED_ONCE = fake_outcome(72, (60, 60)).chain[1].cost.multiply_adds


@pytest.fixture
def sweep(tmp_path: Path) -> RecordedSweep:
    """Three complete trials; unpruned networks exceed the bound."""
    sweep = open_recorded_sweep(tmp_path, f"search.max_multiply_adds={PRUNED_ONCE}")
    sweep.complete(90, 80)
    sweep.complete(100)
    sweep.complete(70, 84, 82)
    return sweep


def records_of(sweep: RecordedSweep) -> Records:
    plan, _ = sweep.folder.read_plan()
    return read_chosen(sweep.folder, plan)


def test_a_trial_keeps_its_best_pass_within_the_bound(sweep: RecordedSweep) -> None:
    kept = {row.trial: (row.kept_pass, row.accuracy) for row in records_of(sweep).trials}
    assert kept == {"t0000": (1, 80 / 120), "t0001": (0, 100 / 120), "t0002": (1, 84 / 120)}


def test_the_study_agrees_with_the_records(sweep: RecordedSweep) -> None:
    values = [(trial.value, trial.constraints["max_multiply_adds"] <= 0) for trial in sweep.study._trials()]
    assert values == [(80 / 120, True), (100 / 120, False), (84 / 120, True)]
    assert repair_records(sweep.folder, sweep.study, sweep.store) == []


def test_only_trials_within_the_bound_are_ranked_and_nominated(sweep: RecordedSweep) -> None:
    records, (plan, _) = records_of(sweep), sweep.folder.read_plan()
    assert [row.trial for row in records.ranked()] == ["t0002", "t0000"]
    assert [row.trial for row in records.over_bound()] == ["t0001"]
    runs = wanted_runs(records, plan.model_copy(update={"confirm": "3x1"}))
    assert [(run.confirms, run.role, run.params.passes) for run in runs] == [
        ("t0002", NOMINEE, 1),
        ("t0000", NOMINEE, 1),
    ]


def test_status_says_who_exceeds_the_bound(autohier: Autohier, sweep: RecordedSweep) -> None:
    shown = autohier("status", "sweep", "--out", sweep.folder.path.parent)
    assert (shown.code, shown.err) == (0, "")
    assert "1 trial exceeds" in shown.out
    assert "best config: t0002" in shown.out


def test_without_a_trial_within_the_bound_there_is_no_winner(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path, "search.max_multiply_adds=1")
    sweep.complete(90, 80)
    records, (plan, _) = records_of(sweep), sweep.folder.read_plan()
    assert (records.ranked(), records.untested_winner()) == ((), None)
    assert missing_refits(records, plan) == []
    assert best_config(records) == "no complete trial is within 1 multiply-adds"
