"""Regimes: their noise, and the one that is nearest to a dataset."""

from math import sqrt

import pytest

from autohier.config.search.loading import load_space
from autohier.sweep.planning.simulation.regimes import NULL, REGIMES, B, N, nearest_regime, pass_1_of


@pytest.mark.parametrize(
    ("space", "overrides", "pass_1", "is_published"),
    [
        ("ntu60", (), 0.9529, True),
        ("ntu60", ("protocol.name=cross-view",), 0.9834, True),
        ("utd_mhad", (), 0.8255, True),
        ("demo", (), 0.75, False),
    ],
)
def test_pass_1_is_the_printed_one(space, overrides, pass_1, is_published):
    assert pass_1_of(load_space(space, overrides)) == (pass_1, is_published)


@pytest.mark.parametrize(
    ("clips", "pass_1", "nearest"),
    [
        (72, 0.75, "B"),
        (108, 0.8255, "B"),
        # ln(300 / 72) + 1.54 - 1.10 = 1.87 from B, ln(2000 / 300) + 2.94 - 1.54 = 3.30 from N.
        (300, 0.8255, "B"),
        # ln(3000 / 72) + 2.51 - 1.10 = 5.14 from B, ln(3000 / 2000) + 2.94 - 2.51 = 0.84 from N.
        (3000, 0.9248, "N"),
        (6048, 0.9529, "N"),
    ],
)
def test_the_nearest_regime_by_clips_and_odds(clips, pass_1, nearest):
    regime = nearest_regime(clips, pass_1)
    assert (regime.name, regime.num_validation_clips, regime.pass_1) == (nearest, clips, pass_1)


def test_noise_follows_the_binomial_deviation_of_the_logit():
    # 4 times the clips halve it. At 50%, p (1 - p) is 4/3 of that at 75%.
    assert B.resized(4 * 72, 0.75).deviation == pytest.approx(0.125)
    assert B.resized(72, 0.5).deviation == pytest.approx(0.25 * sqrt(3 / 4))
    assert B.resized(72, 0.75) == B


def test_noise_is_below_the_binomial_one():
    # B: sqrt(0.75 * 0.25 / 72) = 5.10 points, N: sqrt(0.95 * 0.05 / 2000) = 0.487 points.
    for regime, binomial in ((B, 0.0510), (N, 0.00487)):
        slope = regime.pass_1 * (1 - regime.pass_1)
        assert 0.5 * binomial < slope * regime.deviation < binomial


def test_the_null_regime_has_the_noise_of_b():
    assert (NULL.deviation, NULL.num_validation_clips, NULL.pass_1, NULL.effect) == (0.25, 72, 0.75, 0)
    assert list(REGIMES) == ["null", "B", "N"]
