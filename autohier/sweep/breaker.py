"""When a sweep stops by itself: trials that fail one after the other, all in the same way."""

from __future__ import annotations

from dataclasses import dataclass

from autohier.errors import FailureClass

_HITS_ALL: frozenset[FailureClass] = frozenset({"disk full"})
"""Failures that the next trial would meet as well: the first of them is enough."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a sweep stopped."""

    failure: FailureClass
    reason: str
    """Of the last of them."""
    numbers: tuple[int, ...]
    """The study's numbers of the trials in the row, those included that were still running and failed too."""


class Breaker:
    """Hears how each trial ends and says when it is enough. It starts anew with every driver.

    Args:
        limit: failures of one class in a row that stop the sweep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._row: Halt | None = None

    @property
    def halt(self) -> Halt | None:
        """Why no more is to be asked; None while all is well. Once it is there it stays."""
        if self._row is None:
            return None
        limit = 1 if self._row.failure in _HITS_ALL else self._limit
        return self._row if len(self._row.numbers) >= limit else None

    def trial_failed(self, number: int, failure: FailureClass, reason: str) -> None:
        """A trial failed; a failure of another class than the one before begins a row of its own."""
        if self._row and self._row.failure == failure:
            self._row = Halt(failure, reason, (*self._row.numbers, number))
        elif not self.halt:
            self._row = Halt(failure, reason, (number,))

    def trial_completed(self) -> None:
        """A trial went all its way, or was stopped for its accuracy: the cause is not one for all."""
        if not self.halt:
            self._row = None
