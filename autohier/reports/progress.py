"""How far a sweep is, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from autohier.records.reader import Records
from autohier.records.schema import TrialRow


def progress_text(records: Records, *, target: int) -> str:
    """Settings tried of the target, by state, and what reuse spared."""
    of_study = [row for row in records.trials if row.number is not None]
    states = {state: sum(row.state == state for row in of_study) for state in ("COMPLETE", "PRUNED", "FAIL")}
    failures = Counter(row.failure for row in of_study if row.state == "FAIL")
    classes = ", ".join(f"{number} {failure}" for failure, number in failures.most_common())
    taken_back = sum(row.state == "TAKEN BACK" for row in of_study)
    running = sum(row.state == "RUNNING" for row in of_study)
    return (
        f"{sum(states.values())} of {target} settings tried: {states['COMPLETE']} complete, "
        f"{states['PRUNED']} stopped, {states['FAIL']} failed{f' ({classes})' if classes else ''}; "
        f"{running} begun and not ended{f', {taken_back} taken back to run again' if taken_back else ''}; "
        f"{_effort_text(of_study)}"
    )


def _effort_text(rows: Sequence[TrialRow]) -> str:
    """What trials trained and what they found trained; one that is run again finds its own epochs too."""
    trained = _total(rows, "computed")
    spared = _total(rows, "spared")
    return f"trials trained {trained} and found {spared} trained, by others or before an interruption"


def _total(rows: Sequence[TrialRow], what: Literal["computed", "spared"]) -> str:
    epochs = sum(getattr(row, f"epochs_{what}") or 0 for row in rows)
    seconds = [getattr(row, f"seconds_{what}") or 0.0 for row in rows]
    held = sum(row.accelerators * its for row, its in zip(rows, seconds, strict=True))
    on_accelerators = f", {held:.0f} accelerator s" if any(row.accelerators for row in rows) else ""
    return f"{epochs} epochs ({sum(seconds):.0f} s{on_accelerators})"
