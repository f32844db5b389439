"""Times of the trials that a sweep's earlier drivers ended, to estimate the time left from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean

from autohier.records.schema import EpochRow, TrialRow


@dataclass(frozen=True, slots=True)
class EarlierTrials:
    """Ended trials of earlier drivers."""

    num_trials: int = 0
    seconds: float = 0.0
    """Time in which at least one of them ran, so that trials side by side count once."""
    epoch_seconds: float | None = None
    """Mean time of an epoch; None if no epoch is recorded."""


def earlier_trials(
    trials: Sequence[TrialRow], epochs: Sequence[EpochRow], *, is_search: bool
) -> EarlierTrials:
    """Return the times of the ended trials of the search, or of the confirmation.

    Args:
        trials: of the sweep's records. Failed trials say nothing about the time of the others.
        epochs: of the sweep's records.
        is_search: True for the trials of the search, False for the runs of the confirmation.
    """
    spans = [
        (row.started_at, row.finished_at)
        for row in trials
        if row.finished_at is not None and row.state != "FAIL" and (row.role == "search") == is_search
    ]
    seconds = sum((end - start).total_seconds() for start, end in _united(spans))
    return EarlierTrials(len(spans), seconds, mean(each.seconds for each in epochs) if epochs else None)


def _united(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans of time in which at least one of these runs, in order."""
    first: datetime | None = None
    last: datetime | None = None
    for start, end in sorted(spans):
        if first is None or last is None or start > last:
            if first is not None and last is not None:
                yield first, last
            first, last = start, end
        else:
            last = max(last, end)
    if first is not None and last is not None:
        yield first, last
