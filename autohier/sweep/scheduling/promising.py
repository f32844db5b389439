"""Promotion by the chance of ending among the best: the scheduler ``promising``.

Successive halving stops a fixed share of the trials at a rung, however little the rung says about the end.
Here the trials that continued show how much it says. A line predicts the value at the end (of pass 2 for
rungs within it, else of the last pass so far) from the value at the rung, and the values scatter around it.
A trial stops if its chance to end among the best 1/reduction_factor is below 20%. At a rung that says
nothing few trials stop. The more ranks hold, the more of those stop that do not end among the best.

The correlation counts as 0.5 before any trial has shown it, with the weight of five trials: the value after a
quarter of pass 2 correlates by 0.47 with the best of its chain, measured on 61 trainings. No trial stops
before four have shown where their rung leads. A value that no earlier one at its rung exceeds continues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, mean, variance

from autohier.sweep.scheduling.rungs import RungReport, Rungs, StageParams

_LEAST_CHANCE = 0.2
_EXPECTED_CORRELATION, _EXPECTED_WEIGHT = 0.5, 5
_FEWEST_ENDS = 4
_ROUNDING = 1e-9
"""Difference of values that are equal but for the order in which folds were added up."""
_NORMAL = NormalDist()


def build(rungs: Rungs) -> Promising:
    """Return the scheduler ``promising`` for the rungs of a sweep."""
    return Promising(len(rungs.epochs), 1 / rungs.reduction_factor)


@dataclass(frozen=True, slots=True)
class _Value:
    value: float
    stage: StageParams


class Promising:
    """Stops trials that are unlikely to end among the best. Implements `TrialScheduler`.

    Args:
        pass_2: step at the end of pass 2.
        share: share of the trials that count as the best.
        least_chance: lowest probability to end among them with which a trial continues.
    """

    stops_trials = True

    def __init__(self, pass_2: int, share: float, least_chance: float = _LEAST_CHANCE) -> None:
        self._pass_2, self._share, self._least_chance = pass_2, share, least_chance
        self._trials: dict[tuple[object, ...], dict[int, _Value]] = {}
        self._continued: set[tuple[int, tuple[object, ...]]] = set()

    def decide(self, report: RungReport) -> str | None:
        """See `TrialScheduler`."""
        own = self._trials.setdefault(report.trial, {})
        own[report.step] = _Value(report.value, report.stage)
        known = (report.step, report.trial) in self._continued
        reason = None if known else self._reason_to_stop(report)
        if reason is None:
            self._continued.add((report.step, report.trial))
        return reason

    def _reason_to_stop(self, report: RungReport) -> str | None:
        reached = {
            steps[report.step].stage: steps[report.step].value
            for steps in self._trials.values()
            if report.step in steps
        }
        starts, ends = list(reached.values()), self._ends(report.step)
        if report.value >= max(starts) - _ROUNDING or len(ends) < _FEWEST_ENDS:
            return None
        num_best = max(1, int(len(starts) * self._share))
        chance = chance_among_best(report.value, starts, ends, num_best)
        if chance >= self._least_chance:
            return None
        return (
            f"{report.value:.2%} at rung {report.step + 1} leaves a chance of {chance:.1%} to end among the "
            f"best {num_best} of {len(starts)} configs"
        )

    def _ends(self, step: int) -> list[tuple[float, float]]:
        """Return the value at a step and at the end, of every stage whose trial continued."""
        ends: dict[StageParams, tuple[float, float]] = {}
        for steps in self._trials.values():
            later = self._later(steps, step)
            if step in steps and later:
                at = steps[step]
                _, best = ends.get(at.stage, (0.0, float("-inf")))
                ends[at.stage] = (at.value, max(best, *later))
        return list(ends.values())

    def _later(self, steps: Mapping[int, _Value], step: int) -> list[float]:
        if step < self._pass_2:
            return [steps[self._pass_2].value] if self._pass_2 in steps else []
        return [at.value for later, at in steps.items() if later > step]


def chance_among_best(
    value: float, starts: Sequence[float], ends: Sequence[tuple[float, float]], num_best: int
) -> float:
    """Return the probability that a trial ends as well as the best trials did.

    Args:
        value: of the trial at a rung.
        starts: values of all trials at the rung, at least two.
        ends: values at the rung and at the end of those that continued, at least two.
        num_best: number of trials that count as the best.
    """
    from_rung, finals = zip(*ends, strict=True)
    spread, final_spread = variance(starts), variance(finals)
    if not spread or not final_spread:
        return 1.0
    middle, final_middle, num = mean(from_rung), mean(finals), len(ends)
    products = sum((start - middle) * (final - final_middle) for start, final in ends)
    squares = variance(from_rung) * (num - 1)
    # Trials that continued differ less at the rung than all did, so that their correlation would be too low.
    expected_slope = _EXPECTED_CORRELATION * sqrt(final_spread / spread)
    prior = _EXPECTED_WEIGHT * spread
    slope = max(0.0, (prior * expected_slope + products) / (prior + squares))
    unexplained = final_spread * (num - 1) - 2 * slope * products + slope**2 * squares
    expected_unexplained = (1 - _EXPECTED_CORRELATION**2) * final_spread
    deviation = sqrt((unexplained + _EXPECTED_WEIGHT * expected_unexplained) / (num - 1 + _EXPECTED_WEIGHT))
    expected = final_middle + slope * (value - middle)
    last_of_best = sorted(finals, reverse=True)[min(num_best, num) - 1]
    return 1 - _NORMAL.cdf((last_of_best - expected) / deviation)
