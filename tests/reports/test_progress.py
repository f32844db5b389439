"""How far a sweep is, in one sentence."""

from __future__ import annotations

from dataclasses import replace

from autohier.errors import FailureClass
from autohier.records.reader import Records
from autohier.records.rows import complete_row, cut_short_row
from autohier.records.schema import TrialRow
from autohier.reports.progress import progress_text
from fake_outcomes import MINUTE, START, fake_outcome, fake_row


def _failed(trial: str, failure: FailureClass) -> TrialRow:
    return cut_short_row(fake_row(trial), "FAIL", reason="told", failure=failure, at=START + MINUTE)


# Pass 1 was found with its 2 epochs, pass 2 trained for 2; each took 3 s.
_COMPLETE = complete_row(fake_row("t0000"), fake_outcome(72, (78,)), START + MINUTE)


def test_failures_are_counted_by_class_the_commonest_first() -> None:
    trials = (
        _COMPLETE,
        _failed("t0001", "bug"),
        _failed("t0002", "disk full"),
        _failed("t0003", "disk full"),
    )
    assert progress_text(Records(trials=trials), target=9) == (
        "4 of 9 settings tried: 1 complete, 0 stopped, 3 failed (2 disk full, 1 bug); 0 begun and not ended; "
        "trials trained 2 epochs (3 s) and found 2 epochs (3 s) trained, by others or before an interruption"
    )


def test_what_was_taken_back_is_not_tried() -> None:
    taken_back = replace(_failed("t0001", "disk full"), state="TAKEN BACK")
    assert progress_text(Records(trials=(_COMPLETE, taken_back, fake_row("t0002"))), target=9) == (
        "1 of 9 settings tried: 1 complete, 0 stopped, 0 failed; 1 begun and not ended, "
        "1 taken back to run again; "
        "trials trained 2 epochs (3 s) and found 2 epochs (3 s) trained, by others or before an interruption"
    )


def test_time_on_accelerators_is_the_share_that_was_held() -> None:
    # Two trials of 3 s each, on half an accelerator and on two.
    rows = [replace(_COMPLETE, trial=f"t000{n}", accelerators=held) for n, held in enumerate((0.5, 2.0))]
    assert (
        "trials trained 4 epochs (6 s, 8 accelerator s) and found 4 epochs (6 s, 8 accelerator s) trained"
        in (progress_text(Records(trials=tuple(rows)), target=2))
    )
