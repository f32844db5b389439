"""The Wilson interval and McNemar's exact test: against their definitions, and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from autohier.records.statistics import (
    _student_quantile,
    mcnemar_p_value,
    mean_interval,
    paired_difference,
    wilson_interval,
    within_noise,
)


@given(num_clips=st.integers(1, 5000), data=st.data())
def test_interval_ends_are_z_standard_errors_away(num_clips: int, data: st.DataObject) -> None:
    accuracy = data.draw(st.integers(0, num_clips)) / num_clips
    low, high = wilson_interval(accuracy, num_clips)
    assert 0 <= low <= accuracy + 1e-12
    assert accuracy - 1e-12 <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            error = math.sqrt(end * (1 - end) / num_clips)
            assert abs(accuracy - end) == pytest.approx(1.959964 * error, rel=1e-4)


@given(num_clips=st.integers(1, 20_000), data=st.data())
def test_wilson_interval_equals_scipy(num_clips: int, data: st.DataObject) -> None:
    num_right = data.draw(st.integers(0, num_clips))
    expected = binomtest(num_right, num_clips).proportion_ci(method="wilson")
    assert wilson_interval(num_right / num_clips, num_clips) == pytest.approx(tuple(expected), abs=1e-12)


def test_an_accuracy_of_zero_has_an_interval() -> None:
    # At 0 of n the upper end is z^2 / (n + z^2) = 3.8415 / 13.8415.
    low, high = wilson_interval(0.0, 10)
    assert low == 0.0
    assert high == pytest.approx(3.8415 / 13.8415, rel=1e-4)


def test_without_clips_the_interval_is_everything() -> None:
    assert wilson_interval(0.5, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("num_clips", "noise"), [(100, True), (10_000, False)])
def test_five_points_are_noise_only_on_few_clips(num_clips: int, noise: bool) -> None:
    # Half widths at 80% are about 1.96 * .4 / sqrt(n): 7.8 points on 100 clips, 0.8 on 10000.
    assert within_noise(0.80, 0.85, num_clips) is noise
    assert within_noise(0.85, 0.80, num_clips) is noise


def test_the_interval_of_a_mean_shrinks_with_the_root_of_the_number() -> None:
    # Equal accuracies on equally many clips: n distances d add up to sqrt(n) d, their mean to d / sqrt(n).
    low, high = wilson_interval(0.8, 100)
    assert mean_interval([(0.8, 100)]) == pytest.approx((low, high))
    mean_low, mean_high = mean_interval([(0.8, 100)] * 4)
    assert 0.8 - mean_low == pytest.approx((0.8 - low) / 2)
    assert mean_high - 0.8 == pytest.approx((high - 0.8) / 2)


def test_the_interval_of_a_mean_covers_the_true_mean_in_95_percent() -> None:
    rng = np.random.default_rng(0)
    rates, counts = np.array([0.95, 0.85, 0.6]), np.array([467, 509, 60])
    measured = rng.binomial(counts, rates, size=(2000, 3)) / counts
    ends = [mean_interval(list(zip(row, counts.tolist(), strict=True))) for row in measured.tolist()]
    covered = np.mean([low <= rates.mean() <= high for low, high in ends])
    assert 0.935 < covered < 0.965  # three standard errors, of 0.5 points each, around 95%


@pytest.mark.parametrize(
    ("num_won", "num_lost", "p_value"),
    # Of the 2^n outcomes of n fair coins: those that are at least as one-sided.
    [(0, 0, 1), (1, 0, 1), (5, 0, 2 / 32), (0, 5, 2 / 32), (7, 1, 2 * 9 / 256), (2, 2, 1)],
)
def test_mcnemar_p_value_by_hand(num_won: int, num_lost: int, p_value: float) -> None:
    assert mcnemar_p_value(num_won, num_lost) == pytest.approx(p_value)


@given(num_won=st.integers(0, 60), num_lost=st.integers(0, 60))
def test_mcnemar_p_value_is_the_sum_of_both_tails(num_won: int, num_lost: int) -> None:
    num, apart = num_won + num_lost, abs(num_won - num_lost)
    tails = sum(math.comb(num, heads) for heads in range(num + 1) if abs(2 * heads - num) >= apart)
    assert mcnemar_p_value(num_won, num_lost) == pytest.approx(tails / 2**num)


def test_mcnemar_p_value_of_many_clips_is_nearly_normal() -> None:
    # The difference of 600 is 4.24 standard deviations, each sqrt(20,000), away from its mean of 0.
    assert mcnemar_p_value(10_300, 9_700) == pytest.approx(
        math.erfc((600 - 1) / math.sqrt(2 * 20_000)), rel=0.01
    )


def test_students_quantiles_equal_those_of_scipy() -> None:
    for degrees in (4, 5, 6, 8, 12, 40):
        for z, tolerance in ((1.959964, 1e-3), (2.575829, 3e-3), (3.0, 1e-2)):
            exact = student.ppf(norm.cdf(z), degrees)
            assert _student_quantile(z, degrees) == pytest.approx(exact, rel=tolerance)


def test_paired_differences_shrink_the_deviation_to_that_of_the_search() -> None:
    # Differences .02 and .04: mean .03, squares 2 * .01^2; four prior seeds of a deviation of .01 * sqrt(2).
    found = paired_difference([(0.80, 0.78), (0.82, 0.78)], (), 0.01)
    deviation = ((4 * 2 * 0.01**2 + 2 * 0.01**2) / 5) ** 0.5
    assert found.difference == pytest.approx(0.03)
    assert found.seeds == pytest.approx(2.5706 * deviation / 2**0.5, rel=1e-3)
    assert found.clips == 0.0
    assert found.is_gain == (found.seeds < 0.03)


def test_the_best_of_several_has_the_interval_of_all() -> None:
    values, right = [(0.80, 0.78), (0.82, 0.78)], [("1100", "0100"), ("1110", "0100")]
    alone, best = paired_difference(values, right, 0.01), paired_difference(values, right, 0.01, 5)
    # Bonferroni: 97.5% becomes 99.5%.
    assert best.clips / alone.clips == pytest.approx(2.575829 / 1.959964)
    assert best.seeds / alone.seeds == pytest.approx(student.ppf(0.995, 5) / student.ppf(0.975, 5), rel=2e-3)
    assert best.difference == alone.difference


def test_paired_clips_have_the_error_of_their_differences() -> None:
    # Four clips; the first network gains one with each seed, another one with the second seed only.
    right = [("1100", "0100"), ("1110", "0100")]
    found = paired_difference([(0.5, 0.25), (0.75, 0.25)], right, 0.0)
    by_clip = [1.0, 0.0, 0.5, 0.0]
    expected = 1.959964 * np.std(by_clip, ddof=1) / 2
    assert found.clips == pytest.approx(expected)
    low, high = found.interval
    assert (high - low) / 2 == pytest.approx(np.hypot(found.clips, found.seeds))
