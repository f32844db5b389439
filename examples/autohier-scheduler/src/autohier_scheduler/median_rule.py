"""The median stopping rule (Golovin et al., "Google Vizier", KDD 2017), at autohier's rungs.

A trial stops if its value at a rung is below the median of the values that earlier trials reached there.
"""

from __future__ import annotations

from statistics import median

from autohier.sweep.scheduling.rungs import RungReport, Rungs

_MIN_EARLIER = 4
"""Values that a rung needs before a trial can stop there."""


def build(rungs: Rungs) -> MedianRule:
    """Return the scheduler for the rungs of a sweep."""
    return MedianRule(len(rungs.budgets))


class MedianRule:
    """Stops trials below the median. Implements `autohier.sweep.scheduling.base.TrialScheduler`."""

    stops_trials = True

    def __init__(self, num_rungs: int) -> None:
        self._values: list[dict[tuple[object, ...], float]] = [{} for _ in range(num_rungs)]
        self._continued: set[tuple[int, tuple[object, ...]]] = set()

    def decide(self, report: RungReport) -> str | None:
        """Compare a value with those of other stages at the rung."""
        values = self._values[report.step]
        earlier = [value for stage, value in values.items() if stage != report.stage]
        values[report.stage] = report.value
        is_weak = len(earlier) >= _MIN_EARLIER and report.value < median(earlier)
        if is_weak and (report.step, report.trial) not in self._continued:
            return f"{report.value:.2%} at rung {report.step + 1} is below the median of {len(earlier)}"
        self._continued.add((report.step, report.trial))
        return None
