"""Two objectives: a trial on the Pareto front of its rung continues, even if its scheduler would stop it.

Schedulers compare values of one objective. At a rung after a pruning pass, networks also differ in their
multiply-adds, and a cheaper one is no worse for a lower accuracy. Whether it is worth its epochs shows in the
comparison with those that are as cheap.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from autohier.sweep.fronts import Point, front_ranks

if TYPE_CHECKING:
    from autohier.sweep.scheduling.base import TrialScheduler
    from autohier.sweep.scheduling.rungs import RungReport, StageParams


class FrontKeeper:
    """A scheduler that stops no trial on the front of a rung. Implements `TrialScheduler`.

    Reports without multiply-adds, i.e. those of a search with one objective, pass unchanged.

    Args:
        scheduler: decides on all other trials.
    """

    def __init__(self, scheduler: TrialScheduler) -> None:
        self._scheduler = scheduler
        self._points: dict[int, dict[StageParams, Point]] = defaultdict(dict)
        self._kept: set[tuple[int, tuple[object, ...]]] = set()

    @property
    def stops_trials(self) -> bool:
        """See `TrialScheduler`."""
        return self._scheduler.stops_trials

    def decide(self, report: RungReport) -> str | None:
        """See `TrialScheduler`."""
        reason = self._scheduler.decide(report)
        if report.multiply_adds is None:
            return reason
        points = self._points[report.step]
        points[report.stage] = (report.value, report.multiply_adds)
        if front_ranks(list(points.values()))[list(points).index(report.stage)] == 0:
            self._kept.add((report.step, report.trial))
        return None if (report.step, report.trial) in self._kept else reason
