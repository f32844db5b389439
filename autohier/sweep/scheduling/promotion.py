"""Values of the stages that reached a rung, in order, and the decision on one of them."""

from __future__ import annotations

from bisect import bisect_left, insort

from autohier.sweep.scheduling.rungs import RungReport, StageParams

_ROUNDING = 1e-9
"""Difference of values that are equal but for the order in which folds were added up."""


class RungRanking:
    """Values that stages reached at one rung."""

    def __init__(self) -> None:
        self._values: dict[StageParams, float] = {}
        self._ascending: list[float] = []

    def __len__(self) -> int:
        return len(self._values)

    def add(self, stage: StageParams, value: float) -> None:
        """Record a stage's value, or a new one if it reports again."""
        if stage in self._values:
            del self._ascending[bisect_left(self._ascending, self._values[stage])]
        self._values[stage] = value
        insort(self._ascending, value)

    def reason_to_stop(self, report: RungReport, number: int) -> str | None:
        """Return why a value is not among the best ones; None if it is, or equals the last of them.

        Which of equal values came first says nothing about their configs.

        Args:
            report: a report whose value is recorded.
            number: number of values that count as best, at least 1.
        """
        last = self._ascending[-number]
        if report.value >= last - _ROUNDING:
            return None
        best = f"the last of the best {number}" if number > 1 else "the best"
        value, rung = f"{report.value:.2%}", report.step + 1
        return f"{value} at rung {rung} is below {last:.2%}, {best} of {len(self)} configs"
