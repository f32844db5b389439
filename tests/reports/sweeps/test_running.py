"""Running trials and the time left, from progress and records written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.config.sweep import SweepPlan
from autohier.records.reader import Records
from autohier.records.recorders.trial_progress import TrialProgress
from autohier.records.rows import epoch_rows
from autohier.records.schema import WorkRow
from autohier.records.trial_rows import complete_row
from autohier.reports.sweeps.running import (
    TimeLeft,
    running_table,
    running_trials,
    running_work,
    time_left,
    time_left_text,
    work_time_text,
)
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_outcome, fake_row
from support.sweep_runs.plans import make_plan

SPACE = load_space("demo", ["protocol.validation=clean"])
"""24, 8 and 3 epochs of pass 1, pass 2 and a pruning pass."""
PROGRESS = TrialProgress(
    *("t0001", "pass-2", 0, "pass 2", 3, 8, 2.0, 0.5, "", "process 17 on node3"), START + MINUTE
)


def plan(tmp_path: Path, **changes: object) -> SweepPlan:
    return make_plan(tmp_path, **{"space": SPACE, "trials": 4, "confirm": "none", **changes})


def records(*running: str) -> Records:
    """A trial that took ten minutes, with epochs of one second, and running ones."""
    outcome = fake_outcome()
    done = complete_row(fake_row("t0000"), outcome, START + 10 * MINUTE)
    rows = (done, *(replace(fake_row(name), started_at=START) for name in running))
    return Records(trials=rows, epochs=epoch_rows("t0000", outcome.stages))


def test_a_running_trial_has_its_epoch_and_the_time_left(tmp_path: Path) -> None:
    (row,) = running_trials(records("t0001"), plan(tmp_path), {"t0001": PROGRESS}, START + 2 * MINUTE)
    assert (row.stage, row.epoch, row.num_epochs, row.epoch_seconds) == ("pass 2", 3, 8, 2.0)
    assert row.stage_seconds_left == 5 * 2.0
    # Three pruning passes of three epochs, each of one second as in the trial that has ended.
    assert row.trial_seconds_left == 5 * 2.0 + 9 * 1.0
    assert (row.seconds_running, row.seconds_silent) == (120, 60)


def test_a_trial_before_its_first_epoch_takes_the_times_of_others(tmp_path: Path) -> None:
    first = replace(PROGRESS, epoch=0, epoch_s=None, accuracy=None)
    (row,) = running_trials(records("t0001"), plan(tmp_path), {"t0001": first}, START + MINUTE)
    assert (row.epoch_seconds, row.stage_seconds_left) == (None, 8.0)
    # The file of an earlier process of the trial says nothing about the present one.
    old = replace(PROGRESS, updated_at=START - MINUTE)
    (row,) = running_trials(records("t0001"), plan(tmp_path), {"t0001": old}, START + MINUTE)
    assert (row.stage, row.num_epochs, row.trial_seconds_left) == ("", None, None)


def test_the_time_left_follows_from_the_trials_that_have_ended(tmp_path: Path) -> None:
    measured = records("t0001", "t0002")
    running = running_trials(measured, plan(tmp_path), {}, START + 4 * MINUTE)
    # Three trials of ten minutes, of which two have run for four, two at a time; then the refit of the best:
    # 24 + 8 + 3 epochs of one second.
    left = time_left(measured, plan(tmp_path), running, ())
    assert left == TimeLeft((3 * 600 - 2 * 240) / 2 + 35, "")
    assert time_left_text(left) == "time left: about 12 min"
    confirmed = time_left(measured, plan(tmp_path, confirm="auto"), running, ())
    assert time_left_text(confirmed) == "time left: about 12 min, then the confirmation, if it pays"


def test_a_budget_limits_the_trials_that_are_left(tmp_path: Path) -> None:
    measured = records("t0001")
    running = running_trials(measured, plan(tmp_path), {}, START)
    # The first trial trained 4 of 8 epochs, so that one more follows.
    own = plan(tmp_path, trials=10_000, budget_epochs=8)
    assert time_left(measured, own, running, ()).seconds == pytest.approx(600 + 35)


def test_nothing_is_known_before_the_first_epoch(tmp_path: Path) -> None:
    fresh = Records(trials=(fake_row("t0000"),))
    running = running_trials(fresh, plan(tmp_path), {}, START)
    assert time_left(fresh, plan(tmp_path), running, ()).seconds is None
    assert time_left_text(TimeLeft(None, "")) == ""


def test_work_outside_the_trials_has_a_time_left(tmp_path: Path) -> None:
    shared = WorkRow("pass 1", False, "pass 1", 0.5, 4, 2, 8.0, 1.0, 0.0, START)
    (work,) = running_work(Records(work=(shared,)), plan(tmp_path))
    assert (work.epochs_done, work.num_epochs, work.epoch_seconds, work.seconds_left) == (6, 24, 2.0, 36.0)
    assert work_time_text(work) == "2.0 s an epoch, about 36 s left"
    refit = WorkRow("refit of t0000", False, "pass 1", None, 5, 0, 5.0, 0.0, 0.0, START)
    (work,) = running_work(replace(records(), work=(refit,)), plan(tmp_path))
    assert (work.num_epochs, work.seconds_left) == (24 + 8 + 3, 30.0)
    assert running_work(Records(work=(replace(shared, complete=True),)), plan(tmp_path)) == ()


def test_the_table_counts_the_accelerators_that_train(tmp_path: Path) -> None:
    found = records("t0001", "t0002", "t0003")
    found = replace(found, trials=tuple(replace(row, accelerators=1.5) for row in found.trials))
    progress = {"t0001": PROGRESS, "t0002": replace(PROGRESS, trial="t0002", waits_for="t0001")}
    rows = running_trials(found, plan(tmp_path), progress, START + MINUTE)
    assert [row.accelerators for row in rows] == [1.5, 1.5, 1.5]
    # t0003 starts, t0002 waits; t0000 has ended.
    assert str(running_table(rows).title).startswith("Running now, accelerators at work: 3 of 4.5 held; ")
    lent = plan(tmp_path, scaling="2:0.8")
    assert running_trials(found, lent, progress, START + MINUTE)[0].accelerators is None
    none_held = running_trials(records("t0001"), plan(tmp_path), {}, START)
    assert str(running_table(none_held).title).startswith("Running now; ")


def test_the_table_says_who_waits_and_who_is_silent(tmp_path: Path) -> None:
    progress = {
        "t0001": replace(PROGRESS, waits_for="t0003"),
        "t0002": replace(PROGRESS, trial="t0002"),
    }
    rows = running_trials(records("t0001", "t0002", "t0003"), plan(tmp_path), progress, START + 31 * MINUTE)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(running_table(rows))
    text = capture.get()
    assert "waits for t0003, which trains its pass 2" in text
    assert "pass 2, silent for 30 min" in text
    assert "3 of 8" in text
    assert "starting" in text
    assert PARAMS.settings_text[:30] in text
