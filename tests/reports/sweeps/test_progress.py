"""Progress of a sweep, in one sentence."""

from __future__ import annotations

from dataclasses import replace

from autohier.core.training.metrics import Evaluation
from autohier.errors import FailureClass
from autohier.records.reader import Records
from autohier.records.rows import epoch_rows, evaluation_row
from autohier.records.schema import TrialRow, WorkRow
from autohier.records.trial_rows import complete_row, unfinished_row
from autohier.reports.sweeps.progress import (
    duplicates_text,
    is_finished,
    progress_text,
    retry_text,
    waiting_lines,
    work_lines,
)
from support.fakes.fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row


def _failed(trial: str, failure: FailureClass) -> TrialRow:
    return unfinished_row(fake_row(trial), "FAIL", reason="broken", failure=failure, at=START + MINUTE)


# Pass 1 is reused with its 2 epochs, pass 2 trains for 2; each takes 3 s.
_COMPLETE = complete_row(fake_row("t0000"), fake_outcome(72, (78,)), START + MINUTE)


def test_failures_are_counted_by_class_most_frequent_first() -> None:
    trials = (
        _COMPLETE,
        _failed("t0001", "bug"),
        _failed("t0002", "disk full"),
        _failed("t0003", "disk full"),
    )
    assert progress_text(Records(trials=trials), target=9, is_driven=False) == (
        "4 of 9 trials finished: 1 complete, 0 stopped, 3 failed (2 disk full, 1 bug); "
        "0 interrupted; trained 2 epochs (3 s), reused 2 epochs (3 s)"
    )


def test_requeued_trials_are_not_finished() -> None:
    requeued = replace(_failed("t0001", "disk full"), state="REQUEUED")
    records = Records(trials=(_COMPLETE, requeued, fake_row("t0002")))
    assert progress_text(records, target=9, is_driven=True) == (
        "1 of 9 trials finished: 1 complete, 0 stopped, 0 failed; 1 running, 1 requeued; "
        "trained 2 epochs (3 s), reused 2 epochs (3 s)"
    )


def test_failures_of_disks_and_processes_come_with_the_command_that_runs_them_again() -> None:
    failures: tuple[FailureClass, ...] = ("disk full", "lost process", "bug")
    failed = [_failed(f"t000{n}", failure) for n, failure in enumerate(failures)]
    assert retry_text(Records(trials=(_COMPLETE, failed[2])), "autohier resume a") == ""
    assert retry_text(Records(trials=tuple(failed)), "autohier resume a") == (
        "retry:    autohier resume a  (2 trials failed because of a disk or a lost process)"
    )


def test_accelerator_time_counts_the_share_that_a_trial_holds() -> None:
    # Two trials of 3 s each, on half an accelerator and on two.
    rows = [replace(_COMPLETE, trial=f"t000{n}", accelerators=held) for n, held in enumerate((0.5, 2.0))]
    text = progress_text(Records(trials=tuple(rows)), target=2, is_driven=True)
    effort = "4 epochs (6 s, 8 accelerator-seconds)"
    assert text.endswith(f"; trained {effort}, reused {effort}")


def test_test_clips_whose_content_trains_are_a_warning() -> None:
    assert duplicates_text(0, 0) == ""
    assert duplicates_text(0, 2).startswith("duplicates: 2 training clips left out")
    assert duplicates_text(1, 0).startswith("WARNING: 1 test clip has the content of a clip that trains")
    assert duplicates_text(95, 0).startswith("WARNING: 95 test clips have the content of a clip that trains")


_PASS_1 = WorkRow("pass 1", True, "pass 1", 0.6, 24, 0, 48.0, 0.0, 1.0, START)


def test_epochs_outside_the_trials_are_counted() -> None:
    refit = WorkRow("refit of t0000", True, "prune 1", None, 35, 3, 70.0, 6.0, 1.0, START)
    text = progress_text(Records(trials=(_COMPLETE,), work=(_PASS_1, refit)), target=1, is_driven=False)
    # 2 + 24 + 35 epochs in 3 + 48 + 70 s, of which 118 on an accelerator; 2 + 3 epochs in 3 + 6 s.
    effort = (
        "trained 61 epochs (121 s, 118 accelerator-seconds), reused 5 epochs (9 s, 6 accelerator-seconds)"
    )
    assert text.endswith(f"; {effort}")


def test_unfinished_work_shows_its_progress() -> None:
    running = replace(_PASS_1, complete=False, stage="pass 1 of fold 2", epochs_computed=9, epochs_reused=2)
    refit = WorkRow("refit of t0000", False, "pass 2", None, 30, 0, 60.0, 0.0, 0.0, START)
    assert work_lines(Records(work=(_PASS_1,)), pass_1_epochs=48) == []
    assert work_lines(Records(work=(running, refit)), pass_1_epochs=48) == [
        "pass 1, shared by all trials: 11 of 48 epochs, validation accuracy 60.0% at 2026-03-01 12:00 UTC",
        "refit of t0000: 30 epochs, last in pass 2 at 2026-03-01 12:00 UTC",
    ]


def test_a_sweep_is_finished_when_its_winner_is_tested() -> None:
    records = Records(trials=(_COMPLETE, _failed("t0001", "bug")))
    assert not is_finished(records, target=2)
    result = evaluation_row(_COMPLETE, "pass 1, refit", Evaluation(1.0, (0.5,), fake_confusion(60)), START)
    tested = replace(records, tests=(result,))
    assert is_finished(tested, target=2)
    assert not is_finished(tested, target=3)
    # Nothing can be tested if no trial is complete.
    assert is_finished(Records(trials=(_failed("t0001", "bug"),)), target=1)


def test_the_share_of_waiting_counts_a_reused_epoch_once() -> None:
    # Two epochs of 3 s, in which 0.6 and 0.3 s passed without clips; another trial reuses the first one.
    outcome = fake_outcome(72, (78,))
    rows = [replace(row, seconds=3.0) for row in epoch_rows("t0000", outcome.stages)[:2]]
    rows = [replace(row, waited_s=waited_s) for row, waited_s in zip(rows, (0.6, 0.3), strict=True)]
    reused = replace(rows[0], trial="t0001")
    lines = waiting_lines(Records(epochs=(*rows, reused)))
    assert lines == ["waiting for clips: 15.0% of the time of 2 epochs"]
    assert waiting_lines(Records(epochs=tuple(replace(row, waited_s=0.0) for row in rows))) == []
    assert waiting_lines(Records()) == []
