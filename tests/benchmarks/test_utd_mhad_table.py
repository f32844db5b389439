"""The table of measured seeds: means and intervals by hand, and the file that holds the seeds."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autohier.records.statistics import wilson_interval
from support.benchmark_modules import load_benchmark

CLIPS = tuple(f"a{action}_s2_t{take}" for action in range(5) for take in (1, 2))
"""Five actions of one subject, two takes each."""


@pytest.fixture(scope="module")
def table() -> ModuleType:
    return load_benchmark("utd_mhad_table")


def gains(*first: int) -> tuple[int, ...]:
    """Return the gains on ten clips; on the others both models are right or both are wrong."""
    return (*first, *[0] * (10 - len(first)))


def seeds(table: ModuleType) -> list[Any]:
    first = {"fusion": (gains(1),), "depth": (gains(),), "hierarchy": (gains(1), gains(-1)), "pruning": ()}
    then = {"fusion": (gains(1, 1),), "depth": (gains(),), "hierarchy": (gains(-1),), "pruning": ()}
    members = {"joints": 0.8, "depth": 0.7}
    return [table.Seed(0, 30.4, 0.9, members, CLIPS, first), table.Seed(1, 29.6, 0.9, members, CLIPS, then)]


def test_the_interval_is_students(table: ModuleType) -> None:
    # Mean 2, standard error 1 / sqrt(3), and 4.303 is the 0.975 quantile of t with two degrees of freedom.
    low, high = table.interval([1.0, 2.0, 3.0])
    assert low == pytest.approx(2 - 4.303 / math.sqrt(3), abs=1e-3)
    assert high == pytest.approx(2 + 4.303 / math.sqrt(3), abs=1e-3)
    for values in ([1.0], [2.0, 2.0]):
        assert all(math.isnan(end) for end in table.interval(values))


def test_a_group_of_equal_values_counts_once(table: ModuleType) -> None:
    # Each value given three times has the interval of each value given once.
    thrice = np.repeat([1.0, 2.0, 4.0], 3)
    assert table.clustered_interval(thrice, [*"aaabbbccc"]) == pytest.approx(table.interval([1.0, 2.0, 4.0]))
    # Groups of one value change nothing.
    alone = np.array([1.0, 2.0, 4.0])
    assert table.clustered_interval(alone, [*"abc"]) == pytest.approx(table.interval([1.0, 2.0, 4.0]))
    # 3, 1 and 2 about their mean: the deviations of group a are 1 and -1, of b 0.
    assert all(math.isnan(end) for end in table.clustered_interval(np.array([3.0, 1.0, 2.0]), [*"aab"]))
    # 5, 3 and 1: the deviations of a sum to 2, of b to -2, so the variance is 2 / 1 * (4 + 4) / 9.
    low, high = table.clustered_interval(np.array([5.0, 3.0, 1.0]), [*"aab"])
    assert (low, high) == pytest.approx((3 - 12.706 * 4 / 3, 3 + 12.706 * 4 / 3), abs=1e-3)


def test_the_table_shows_each_seed_and_the_mean_differences(table: ModuleType) -> None:
    first, second, together, fusion, depth, hierarchy, pruning = table.table(seeds(table))
    low, high = wilson_interval(0.9, 10)
    assert first == (
        f"seed 0: fused 90.00% of 10 test clips, 95% interval {low:.2%} to {high:.2%}; "
        "joints 80.00%, depth 70.00%; 30 min"
    )
    assert second.startswith("seed 1: fused 90.00%")
    assert together == "fused, mean over 2 seeds: 90.00%, 95% interval over seeds unknown, as all 2 are equal"
    # The 0.975 quantiles of t are 12.706 with one degree of freedom and 2.7764 with four. Over seeds: 10 and
    # 20 have the standard error 5. Over clips: both takes of the first action gain 100 and 50, which is
    # 120 off the mean of 15, and the other four 30; the error is sqrt(5 / 4 * (120^2 + 4 * 30^2)) / 10 = 15.
    assert fusion.endswith(
        ": +15.00 points, 95% interval over seeds -48.53 to +78.53, over clips -26.65 to +56.65; "
        "2 models of 2 seeds"
    )
    assert depth.endswith(
        ": +0.00 points, 95% interval over seeds unknown, as all 2 are equal, "
        "over clips unknown, as all 5 are equal; 2 models of 2 seeds"
    )
    # Over seeds: 0, of two members, and -10. Over clips: -50 and nine zeros, so that the first action is 40
    # off and the others 10; the error is sqrt(5 / 4 * (1600 + 4 * 100)) / 10 = 5.
    assert hierarchy.endswith(
        ": -5.00 points, 95% interval over seeds -68.53 to +58.53, over clips -18.88 to +8.88; "
        "3 models of 2 seeds"
    )
    assert pruning.endswith(": nothing to compare")


def test_clips_that_a_seed_lacks_are_left_out_of_differences(table: ModuleType) -> None:
    whole, other = seeds(table)
    fewer = table.Seed(
        1,
        29.6,
        0.9,
        other.members,
        CLIPS[2:],
        {name: tuple(own[2:] for own in each) for name, each in other.gains.items()},
    )
    *_, fusion, _, _, _ = table.table([whole, fewer])
    assert ": +0.00 points, 95% interval over seeds unknown, as all 2 are equal" in fusion


def test_seeds_are_written_and_read(table: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "utd.json"
    assert table.read_seeds(path) == []
    first, second = seeds(table)
    table.write_seeds(path, [second, first])
    assert table.read_seeds(path) == [first, second]
