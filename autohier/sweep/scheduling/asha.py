"""ASHA in its stopping variant: the scheduler ``asha``.

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), algorithm 2: rung k has the
budget r * eta^k; a trial leaves it for rung k + 1 if it is in the top 1/eta of the trials that have reached
rung k. Here r is the first rung within pass 2, eta is ``search.reduction_factor``, and budgets are epochs
since the start of pass 2.

Departures from algorithm 2, and why:

- It pauses a trial at its rung and may promote it later, when more trials have reached the rung. Here the
  decision is made once, when the trial arrives, and a trial that is not promoted stops for good. A resumed
  sweep then needs no set of paused trials, and no unfinished stage is kept for them.
- It promotes none of the first eta - 1 trials at a rung. Here the best so far always continues, since a
  stopped trial cannot be promoted later.
- It says nothing about ties. Here a value that equals the last of the top 1/eta continues as well.
- It counts every trial. Here trials that share the stage count once: their value is one measurement, and
  copies of the best one would fill the top 1/eta.
- Its rungs are at exact budgets. After pass 2 a trial can be stopped only between passes, so that a rung lies
  at the end of the first pass with at least its budget; at other passes no trial is stopped. A value there is
  the best of the passes so far, which is what a trial is worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from autohier.sweep.scheduling.promotion import RungRanking
from autohier.sweep.scheduling.rungs import RungReport, Rungs


def build(rungs: Rungs) -> Asha:
    """Return the scheduler ``asha`` for the rungs of a sweep."""
    return Asha({step: RungRanking() for step in rung_steps(rungs)}, rungs.reduction_factor)


def rung_steps(rungs: Rungs) -> list[int]:
    """Return the steps that are rungs of ASHA; never the last, after which nothing is left to save."""
    pass_2, last = len(rungs.epochs), len(rungs.budgets) - 1
    steps = list(range(pass_2 + 1))
    target = rungs.budgets[pass_2] * rungs.reduction_factor
    for step in range(pass_2 + 1, last):
        if rungs.budgets[step] >= target:
            steps.append(step)
            target *= rungs.reduction_factor
    return [step for step in steps if step < last]


class Asha:
    """Lets the top 1/eta of each rung continue. Implements `TrialScheduler`.

    Args:
        rankings: an empty ranking for every step that is a rung.
        eta: reduction factor.
    """

    stops_trials = True

    def __init__(self, rankings: Mapping[int, RungRanking], eta: float) -> None:
        self._rankings, self._eta = rankings, eta
        self._promoted: set[tuple[int, tuple[object, ...]]] = set()

    def decide(self, report: RungReport) -> str | None:
        """See `TrialScheduler`."""
        ranking = self._rankings.get(report.step)
        if ranking is None:
            return None
        ranking.add(report.stage, report.value)
        num_promoted = max(1, math.floor(len(ranking) / self._eta + 1e-9))
        reason = ranking.reason_to_stop(report, num_promoted)
        if reason is None or (report.step, report.trial) in self._promoted:
            self._promoted.add((report.step, report.trial))
            return None
        return f"{reason} (1/{self._eta:g} continue)"
