"""Pareto fronts of accuracy and multiply-adds: which of several networks no other beats in both.

A point is a value, of which more is better, and a number of multiply-adds, of which less is better. Costs are
compared in steps of 1%: heads of other superclass counts change the cost of one network by less, and a worse
network must not count as a finding because it is cheaper by a head.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf, log
from typing import Final

STEP: Final = 1.01
"""Quotient of two costs that count as different."""
_DIGITS: Final = 6
"""Decimal places of values that count."""

Point = tuple[float, float]
"""Value and multiply-adds of a network."""


def cost_step(multiply_adds: float) -> int:
    """Return the number of steps of 1% that a cost has; equal for costs that count as equal."""
    return round(log(max(1.0, multiply_adds)) / log(STEP))


def front_ranks(points: Sequence[Point]) -> list[int]:
    """Return the rank of every point: 0 on the front, 1 on the front of all others, and so on.

    A point beats another if it is at least as good in both and better in one. Points that are equal in both
    have the same rank.
    """
    steps = [(cost_step(cost), -round(value, _DIGITS)) for value, cost in points]
    ranks: dict[tuple[int, float], int] = {}
    tops: list[float] = []
    """Negative of the highest value on every front so far, ascending: its points are not more expensive than
    those that follow."""
    for step, negative in sorted(set(steps)):
        rank = bisect_right(tops, negative)
        tops[rank : rank + 1] = [negative]
        ranks[step, negative] = rank
    return [ranks[point] for point in steps]


def least_needed(points: Sequence[Point]) -> int:
    """Return the index of the point to leave out: the one with the nearest neighbors on the last front.

    Nearness is the crowding distance of NSGA-II (Deb et al., "A fast and elitist multiobjective genetic
    algorithm: NSGA-II", 2002, section III-B), with costs in steps; the ends of a front have an infinite one.
    """
    ranks = front_ranks(points)
    last = [index for index, rank in enumerate(ranks) if rank == max(ranks)]
    distances = dict.fromkeys(last, 0.0)
    for axis in ([value for value, _ in points], [float(cost_step(cost)) for _, cost in points]):
        order = sorted(last, key=axis.__getitem__)
        span = axis[order[-1]] - axis[order[0]]
        distances[order[0]] = distances[order[-1]] = inf
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            distances[index] += (axis[after] - axis[before]) / span if span else 0.0
    return min(last, key=distances.__getitem__)
