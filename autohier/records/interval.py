"""How sure an accuracy is, a mean of some, or a difference of two: Wilson's interval and McNemar's test."""

from __future__ import annotations

import math
from collections.abc import Sequence

_Z_95 = 1.959963984540054


def wilson_interval(accuracy: float, num_clips: int) -> tuple[float, float]:
    """The 95% interval of an accuracy measured on independent clips.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927): the rates p
    for which the measured one lies within z standard errors of p. Unlike the normal approximation it
    stays in [0, 1] and has a width where all clips or none are right.

    Args:
        accuracy: share of the clips that are right, in [0, 1].
        num_clips: clips measured; 0 tells nothing and gives (0, 1).

    Returns:
        Its low and high end.
    """
    if num_clips == 0:
        return 0.0, 1.0
    z2_n = _Z_95**2 / num_clips
    centre = accuracy + z2_n / 2
    half = math.sqrt(z2_n * (accuracy * (1 - accuracy) + z2_n / 4))
    return max(0.0, (centre - half) / (1 + z2_n)), min(1.0, (centre + half) / (1 + z2_n))


def mean_interval(measured: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """The 95% interval of the mean of accuracies measured on different, independent clips.

    Zou & Donner, "Construction of confidence intervals about effect measures: a general approach" (2008): of
    a sum, the distances to the ends of the single intervals, here Wilson's, add up in squares.

    Args:
        measured: accuracies, at least one, each with the clips that it was measured on.
    """
    intervals = [(accuracy, *wilson_interval(accuracy, num_clips)) for accuracy, num_clips in measured]
    centre = sum(accuracy for accuracy, _, _ in intervals) / len(intervals)
    below = math.hypot(*(accuracy - low for accuracy, low, _ in intervals)) / len(intervals)
    above = math.hypot(*(high - accuracy for accuracy, _, high in intervals)) / len(intervals)
    return centre - below, centre + above


def within_noise(first: float, second: float, num_clips: int) -> bool:
    """Whether two accuracies on the same number of clips cannot be told apart.

    They cannot where either lies in the other's 95% interval. Both networks see the same clips, so a
    paired test (`paired_chance`) would tell apart more; the records do not hold what each clip was taken for.
    """
    low, high = wilson_interval(first, num_clips)
    other_low, other_high = wilson_interval(second, num_clips)
    return low <= second <= high or other_low <= first <= other_high


def paired_chance(won: int, lost: int) -> float:
    """How often chance makes two equal networks differ as much as these on the same clips.

    McNemar, "Note on the sampling error of the difference between correlated proportions" (1947), exact: of
    the clips that one alone has right each is either's with probability 1/2; the two-sided p-value.

    Args:
        won: clips that the first alone has right.
        lost: clips that the second alone has right.
    """
    num_apart = won + lost
    ways = total = 1
    for fewer in range(1, min(won, lost) + 1):
        ways = ways * (num_apart - fewer + 1) // fewer
        total += ways
    return float(min(1.0, 2 * total / (1 << num_apart)))
