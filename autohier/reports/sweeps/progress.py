"""Progress of a sweep, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from autohier.config.sweep import finished_text
from autohier.data.splits import left_out_text
from autohier.errors import ENVIRONMENT_FAILURES
from autohier.records.reader import Records
from autohier.records.schema import TrialRow, WorkRow
from autohier.reports.text import percent
from autohier.text import plural, time_text


def progress_text(records: Records, *, target: int, is_driven: bool) -> str:
    """Return the number of trials in each state, and the epochs that they trained and reused.

    Args:
        records: records of one sweep.
        target: total number of trials in the sweep.
        is_driven: whether the sweep has a driver; without one its unfinished trials do not run.
    """
    rows = [row for row in records.trials if row.number is not None]
    confirmations = [row for row in records.trials if row.role != "search"]
    efforts: list[TrialRow | WorkRow] = [*rows, *confirmations, *records.work]
    states = {state: sum(row.state == state for row in rows) for state in ("COMPLETE", "PRUNED", "FAIL")}
    failures = Counter(row.failure for row in rows if row.state == "FAIL")
    classes = ", ".join(f"{number} {failure}" for failure, number in failures.most_common())
    num_requeued = sum(row.state == "REQUEUED" for row in rows)
    num_unfinished = sum(row.state == "RUNNING" for row in rows)
    return (
        f"{finished_text(records.num_ended, target)} finished: "
        f"{states['COMPLETE']} complete, {states['PRUNED']} stopped, "
        f"{states['FAIL']} failed{f' ({classes})' if classes else ''}; "
        f"{num_unfinished} {'running' if is_driven else 'interrupted'}"
        f"{f', {num_requeued} requeued' if num_requeued else ''}; "
        f"{_effort_text(efforts)}"
    )


def waiting_lines(records: Records) -> list[str]:
    """Return a line with the share of their time in which epochs waited for clips; none if none did."""
    measured = {(row.kind, row.pass_index, row.epoch, row.seconds): row for row in records.epochs}
    seconds = sum(row.seconds for row in measured.values())
    waited_s = sum(row.waited_s for row in measured.values())
    if not waited_s:
        return []
    return [f"waiting for clips: {waited_s / seconds:.1%} of the time of {plural(len(measured), 'epoch')}"]


def work_lines(records: Records, *, pass_1_epochs: int) -> list[str]:
    """Return a line for each unfinished piece of work outside the trials.

    Args:
        records: records of one sweep.
        pass_1_epochs: number of epochs of pass 1, over all folds.
    """
    lines = [_work_text(row, pass_1_epochs) for row in records.work if not row.complete]
    states = [row.state for row in records.trials if row.role != "search"]
    unfinished = sum(state in {"RUNNING", "REQUEUED"} for state in states)
    return [*lines, *([f"confirmation: {plural(unfinished, 'run')} unfinished"] if unfinished else [])]


def retry_text(records: Records, resume_command: str) -> str:
    """Return a line about failed trials that the next driver runs again; empty if there are none."""
    num_failed = sum(row.state == "FAIL" and row.failure in ENVIRONMENT_FAILURES for row in records.trials)
    if not num_failed:
        return ""
    trials = plural(num_failed, "trial")
    return f"retry:    {resume_command}  ({trials} failed because of a disk or a lost process)"


def is_finished(records: Records, *, target: int) -> bool:
    """Return whether all trials of a sweep have ended and its winner is tested."""
    return records.num_ended >= target and records.untested_winner() is None


def _work_text(row: WorkRow, pass_1_epochs: int) -> str:
    done = row.epochs_computed + row.epochs_reused
    if row.accuracy is None:
        return f"{row.name}: {plural(done, 'epoch')}, last in {row.stage} at {time_text(row.updated_at)}"
    return (
        f"{row.name}, shared by all trials: {done} of {plural(pass_1_epochs, 'epoch')}, "
        f"validation accuracy {percent(row.accuracy)} at {time_text(row.updated_at)}"
    )


def duplicates_text(num_shared: int, num_left_out: int) -> str:
    """Return a sentence about clips that are equal in training and test split; empty if there are none.

    Args:
        num_shared: number of test clips whose content trains.
        num_left_out: number of training clips that do not train for that reason.
    """
    if num_left_out:
        return left_out_text(num_left_out)
    if not num_shared:
        return ""
    return (
        f"WARNING: {plural(num_shared, 'test clip has', 'test clips have')} the content of a clip that "
        "trains, so test accuracies are optimistic; search with --drop-duplicates to leave such training "
        "clips out"
    )


def _effort_text(rows: Sequence[TrialRow | WorkRow]) -> str:
    return f"trained {_total(rows, 'computed')}, reused {_total(rows, 'reused')}"


def _total(rows: Sequence[TrialRow | WorkRow], origin: Literal["computed", "reused"]) -> str:
    epochs = sum(getattr(row, f"epochs_{origin}") or 0 for row in rows)
    seconds = [getattr(row, f"seconds_{origin}", None) or 0.0 for row in rows]
    held_s = sum(row.accelerators * own_s for row, own_s in zip(rows, seconds, strict=True))
    on_accelerators = f", {held_s:.0f} accelerator-seconds" if any(row.accelerators for row in rows) else ""
    return f"{plural(epochs, 'epoch')} ({sum(seconds):.0f} s{on_accelerators})"
