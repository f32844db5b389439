"""When a sweep stops by itself: trials that fail one after the other, all in the same way."""

from __future__ import annotations

from dataclasses import dataclass

from autohier.errors import FailureClass


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
        return self._row if self._row and len(self._row.numbers) >= self._limit else None

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
