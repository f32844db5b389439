"""Times of a sweep's earlier trials."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from autohier.records.schema import EpochRow, TrialRow
from autohier.sweep.execution.earlier_trials import EarlierTrials, earlier_trials
from support.fakes.fake_outcomes import START, fake_row


def ran(number: int, start_min: int, end_min: int | None, **changes: Any) -> TrialRow:
    end = None if end_min is None else START + timedelta(minutes=end_min)
    row = replace(fake_row(f"t{number:04}"), started_at=START + timedelta(minutes=start_min), finished_at=end)
    return replace(row, **({"state": "COMPLETE" if end else "RUNNING"} | changes))


def epoch(seconds: float) -> EpochRow:
    return EpochRow("t0000", "pass-1", 0, 0, 1, 0.1, 1.0, (1.0,), 1.0, (0.5,), 0.5, seconds, 16)


TRIALS = [
    ran(3, 30, 40),
    ran(0, 0, 10),
    ran(1, 5, 20),
    ran(4, 12, 14, state="PRUNED"),
    ran(2, 20, 25, state="FAIL"),
    ran(5, 40, None),
    ran(6, 50, 53, role="nominee"),
]


def test_trials_that_ran_side_by_side_count_once() -> None:
    # Minutes 0 to 20 and 30 to 40; neither failed nor running trials.
    found = earlier_trials(TRIALS, [epoch(2.0), epoch(4.0)], is_search=True)
    assert found == EarlierTrials(4, 30 * 60.0, 3.0)


def test_runs_of_the_confirmation_count_apart() -> None:
    assert earlier_trials(TRIALS, [], is_search=False) == EarlierTrials(1, 180.0, None)


def test_a_sweep_that_starts_has_no_earlier_trials() -> None:
    assert earlier_trials([], [], is_search=True) == EarlierTrials()
