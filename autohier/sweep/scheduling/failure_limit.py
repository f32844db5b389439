"""The failure limit: stops a sweep after consecutive failures of one class.

Failures of the environment, i.e. of disks and processes, count together: one cause shows in several classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from autohier.errors import ENVIRONMENT_FAILURES, FailureClass

_STOPS_AT_ONCE: frozenset[FailureClass] = frozenset({"disk full"})
"""Failure classes whose cause every later trial would meet: one failure is enough."""


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """Consecutive failures of one class."""

    failure: FailureClass
    reason: str
    """Of the last failure."""
    numbers: tuple[int, ...]
    """Optuna trial numbers of the failures, including trials that still ran when the limit was reached."""


class FailureLimit:
    """Counts consecutive failures of one class. The count starts at zero with every driver.

    Args:
        limit: number of consecutive failures of one class that stops the sweep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streak: FailureStreak | None = None

    @property
    def exceeded(self) -> FailureStreak | None:
        """The failures that stop the sweep; None below the limit. Once set, it stays set."""
        if self._streak is None:
            return None
        limit = 1 if self._streak.failure in _STOPS_AT_ONCE else self._limit
        return self._streak if len(self._streak.numbers) >= limit else None

    def trial_failed(self, number: int, failure: FailureClass, reason: str) -> None:
        """Count a failed trial; a failure of another cause starts a new streak."""
        streak = self._streak
        if streak is not None and _has_one_cause(streak.failure, failure):
            if self.exceeded and failure != streak.failure:  # the failure that stopped the sweep is reported
                failure, reason = streak.failure, streak.reason
            self._streak = FailureStreak(failure, reason, (*streak.numbers, number))
        elif not self.exceeded:
            self._streak = FailureStreak(failure, reason, (number,))

    def trial_completed(self) -> None:
        """End the streak: a trial completed or was stopped by the scheduler."""
        if not self.exceeded:
            self._streak = None


def _has_one_cause(one: FailureClass, other: FailureClass) -> bool:
    return one == other or {one, other} <= ENVIRONMENT_FAILURES
