"""Trials that a sweep did not complete: what they reached, and why they ended."""

from __future__ import annotations

from autohier.records.reader import Records
from autohier.records.schema import EpochRow, TrialRow
from autohier.reports.text import percent

_STATES = {"PRUNED": "stopped", "FAIL": "failed"}
_NUM_SHOWN = 10


def unfinished_text(records: Records) -> str:
    """Return a line for each stopped or failed trial, latest first; empty if there is none.

    The accuracy is that of the trial's last epoch. It is not comparable with those of complete trials, which
    are of a later stage.
    """
    rows = [row for row in records.trials if row.state in _STATES and row.number is not None]
    last = {epoch.trial: epoch for epoch in sorted(records.epochs, key=lambda epoch: epoch.step)}
    shown = [_line(row, last.get(row.trial)) for row in reversed(rows)][:_NUM_SHOWN]
    more = [f"and {len(rows) - _NUM_SHOWN} more"] if len(rows) > _NUM_SHOWN else []
    return "\n".join([*shown, *more])


def _line(row: TrialRow, epoch: EpochRow | None) -> str:
    reached = "before its first epoch"
    if epoch is not None:
        number = f" {epoch.pass_index}" if epoch.pass_index else ""
        stage = f"{epoch.kind.replace('-', ' ')}{number}"
        reached = f"at {percent(epoch.accuracy)} validation accuracy, in epoch {epoch.epoch + 1} of {stage}"
    return f"{row.trial} {_STATES[row.state]} {reached}{f': {row.reason}' if row.reason else ''}"
