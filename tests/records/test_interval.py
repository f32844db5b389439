"""The Wilson interval and McNemar's test against the rules that they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.records.interval import mean_interval, paired_chance, wilson_interval, within_noise


@given(num_clips=st.integers(1, 5000), data=st.data())
def test_ends_are_the_rates_z_standard_errors_away(num_clips: int, data: st.DataObject) -> None:
    accuracy = data.draw(st.integers(0, num_clips)) / num_clips
    low, high = wilson_interval(accuracy, num_clips)
    assert 0 <= low <= accuracy + 1e-12
    assert accuracy - 1e-12 <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            error = math.sqrt(end * (1 - end) / num_clips)
            assert abs(accuracy - end) == pytest.approx(1.959964 * error, rel=1e-4)


def test_none_right_still_has_a_width() -> None:
    # At 0 of n the upper end is z^2 / (n + z^2) = 3.8415 / 13.8415.
    low, high = wilson_interval(0.0, 10)
    assert low == 0.0
    assert high == pytest.approx(3.8415 / 13.8415, rel=1e-4)


def test_no_clips_tell_nothing() -> None:
    assert wilson_interval(0.5, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("num_clips", "noise"), [(100, True), (10_000, False)])
def test_five_points_are_noise_on_few_clips_only(num_clips: int, noise: bool) -> None:
    # Half widths at 80% are about 1.96 * .4 / sqrt(n): 7.8 points on 100 clips, 0.8 on 10000.
    assert within_noise(0.80, 0.85, num_clips) is noise
    assert within_noise(0.85, 0.80, num_clips) is noise


def test_the_interval_of_a_mean_is_narrower_by_the_root_of_how_many() -> None:
    # Equal accuracies on as many clips: n distances of d add up to sqrt(n) d, and their mean to d / sqrt(n).
    low, high = wilson_interval(0.8, 100)
    assert mean_interval([(0.8, 100)]) == pytest.approx((low, high))
    mean_low, mean_high = mean_interval([(0.8, 100)] * 4)
    assert 0.8 - mean_low == pytest.approx((0.8 - low) / 2)
    assert mean_high - 0.8 == pytest.approx((high - 0.8) / 2)


def test_the_interval_of_a_mean_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    rates, counts = np.array([0.95, 0.85, 0.6]), np.array([467, 509, 60])
    measured = rng.binomial(counts, rates, size=(2000, 3)) / counts
    ends = [mean_interval(list(zip(row, counts.tolist(), strict=True))) for row in measured.tolist()]
    covered = np.mean([low <= rates.mean() <= high for low, high in ends])
    assert 0.935 < covered < 0.965  # three standard errors, of 0.5 points each, around 95%


@pytest.mark.parametrize(
    ("won", "lost", "chance"),
    # Of 2^n outcomes of n fair coins: those with as few heads or tails as there were.
    [(0, 0, 1), (1, 0, 1), (5, 0, 2 / 32), (0, 5, 2 / 32), (7, 1, 2 * 9 / 256), (2, 2, 1)],
)
def test_paired_chance_by_hand(won: int, lost: int, chance: float) -> None:
    assert paired_chance(won, lost) == pytest.approx(chance)


@given(won=st.integers(0, 60), lost=st.integers(0, 60))
def test_paired_chance_is_the_sum_of_both_ends(won: int, lost: int) -> None:
    num, apart = won + lost, abs(won - lost)
    ends = sum(math.comb(num, heads) for heads in range(num + 1) if abs(2 * heads - num) >= apart)
    assert paired_chance(won, lost) == pytest.approx(ends / 2**num)


def test_paired_chance_of_many_clips_is_that_of_the_normal_law() -> None:
    # 10,300 of 20,000 are 600 apart in place of the mean, 4.24 standard deviations of sqrt(20,000).
    assert paired_chance(10_300, 9_700) == pytest.approx(
        math.erfc((600 - 1) / math.sqrt(2 * 20_000)), rel=0.01
    )
