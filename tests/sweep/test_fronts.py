"""Pareto fronts of value and cost, against their definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.sweep.fronts import Point, cost_step, front_ranks, least_needed

POINTS = st.lists(st.tuples(st.integers(0, 6).map(float), st.sampled_from([100, 200, 300, 400, 500])))


def beats(one: Point, other: Point) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def peeled_ranks(points: list[Point]) -> list[int]:
    """Ranks by the definition: take the front away, again and again."""
    ranks, left, rank = [0] * len(points), set(range(len(points))), 0
    while left:
        front = {i for i in left if not any(beats(points[j], points[i]) for j in left)}
        for index in front:
            ranks[index] = rank
        left, rank = left - front, rank + 1
    return ranks


@given(POINTS)
def test_ranks_follow_the_definition(points: list[Point]) -> None:
    assert front_ranks(points) == peeled_ranks(points)


def test_costs_that_differ_by_less_than_a_step_are_equal() -> None:
    # 0.1% apart, in the middle of a step: the worse network is not on the front because it is cheaper.
    cheap = 1.01**1000
    assert cost_step(cheap) == cost_step(1.001 * cheap) == 1000
    assert front_ranks([(0.5, cheap), (0.6, 1.001 * cheap)]) == [1, 0]
    assert front_ranks([(0.5, cheap), (0.6, 1.02 * cheap)]) == [0, 0]


def test_values_that_differ_by_rounding_are_equal() -> None:
    assert front_ranks([(0.5, 100), (0.5 + 1e-12, 200)]) == [0, 1]


def test_the_most_crowded_point_of_the_last_front_is_left_out() -> None:
    ends = [(0.9, 800.0), (0.1, 100.0)]
    assert least_needed([*ends, (0.5, 300.0), (0.52, 310.0), (0.7, 500.0)]) in {2, 3}
    # A point behind the front goes first, however far from others.
    assert least_needed([*ends, (0.05, 400.0)]) == 2
    # The ends of the last front stay.
    assert least_needed([(0.9, 100.0), (0.8, 800.0), (0.5, 200.0), (0.6, 400.0)]) == 3


@pytest.mark.parametrize("points", [[(0.5, 100.0)], [(0.5, 100.0), (0.5, 100.0)]])
def test_a_point_is_left_out_of_equal_ones(points: list[Point]) -> None:
    assert least_needed(points) == 0
