"""Asynchronous successive halving whose rungs all cost the same: the scheduler ``successive-halving``.

Like ASHA (see `autohier.sweep.scheduling.asha`), a trial continues if it is among the best that have reached
its rung. The share that continues differs: it is the ratio of the costs of consecutive rungs, so that all
rungs together cost the same. That is 1/reduction_factor within pass 2, where epochs are multiplied, and more
from pass to pass, where a few epochs are added. The cost of pruning is counted from the end of pass 2, which
many chains share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from autohier.sweep.scheduling.promotion import RungRanking
from autohier.sweep.scheduling.rungs import RungReport, Rungs


def build(rungs: Rungs) -> SuccessiveHalving:
    """Return the scheduler ``successive-halving`` for the rungs of a sweep."""
    return SuccessiveHalving(shares_by_cost(rungs))


def shares_by_cost(rungs: Rungs) -> tuple[float, ...]:
    """Return the share of trials that continue at each step; 1 at the last, where nothing is left to save."""
    budgets, pass_2 = rungs.budgets, len(rungs.epochs)
    shares = []
    for step in range(len(budgets) - 1):
        paid = budgets[pass_2] if step > pass_2 else 0
        shares.append((budgets[step] - paid) / (budgets[step + 1] - paid))
    return (*shares, 1.0)


class SuccessiveHalving:
    """Lets a fixed share of each rung continue, at least one. Implements `TrialScheduler`.

    Values are compared within a rung only. A value that equals the last of those that continue continues as
    well. Trials that share a stage count once.

    Args:
        shares: share of the trials that continue, by step.
    """

    stops_trials = True

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares
        self._rankings = [RungRanking() for _ in shares]
        self._continued: set[tuple[int, tuple[object, ...]]] = set()

    def decide(self, report: RungReport) -> str | None:
        """See `TrialScheduler`."""
        ranking, share = self._rankings[report.step], self._shares[report.step]
        ranking.add(report.stage, report.value)
        num_kept = max(1, math.ceil(share * len(ranking) - 1e-9))
        reason = ranking.reason_to_stop(report, num_kept)
        if reason is None or (report.step, report.trial) in self._continued:
            self._continued.add((report.step, report.trial))
            return None
        return f"{reason} ({share:.0%} continue)"
