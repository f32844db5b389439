"""Confidence intervals of accuracies, and tests of the difference between two accuracies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_Z_95: Final = 1.959963984540054
"""97.5% quantile of the standard normal distribution."""
_PRIOR_RUNS: Final = 4
"""Number of seeds that the deviation between runs in a search is worth."""


def wilson_interval(accuracy: float, num_clips: int) -> tuple[float, float]:
    """Return the 95% confidence interval of an accuracy on independent clips.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927): the rates p for
    which the measured accuracy lies within z standard errors of p. Unlike the normal approximation it stays
    in [0, 1], and has a width even if all clips or none are right.

    The formula is written out because leaderboards need it for every trial: ``scipy.stats.binomtest`` gives
    the same numbers, but takes 2 ms per call, for an exact p-value, and a second to import.

    Args:
        accuracy: share of correctly classified clips, in [0, 1].
        num_clips: number of clips; 0 gives (0, 1).

    Returns:
        The lower and upper end.
    """
    if num_clips == 0:
        return 0.0, 1.0
    z2_n = _Z_95**2 / num_clips
    centre = accuracy + z2_n / 2
    half = math.sqrt(z2_n * (accuracy * (1 - accuracy) + z2_n / 4))
    return max(0.0, (centre - half) / (1 + z2_n)), min(1.0, (centre + half) / (1 + z2_n))


def mean_interval(measured: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Return the 95% confidence interval of the mean of accuracies on disjoint, independent clips.

    Zou & Donner, "Construction of confidence intervals about effect measures: a general approach" (2008): the
    distances of a sum to the ends of its interval are the root of the summed squares of the terms' distances,
    here to their Wilson intervals.

    Args:
        measured: accuracies, at least one, each with its number of clips.

    Returns:
        The lower and upper end.
    """
    intervals = [(accuracy, *wilson_interval(accuracy, num_clips)) for accuracy, num_clips in measured]
    centre = sum(accuracy for accuracy, _, _ in intervals) / len(intervals)
    below = math.hypot(*(accuracy - low for accuracy, low, _ in intervals)) / len(intervals)
    above = math.hypot(*(high - accuracy for accuracy, _, high in intervals)) / len(intervals)
    return centre - below, centre + above


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Difference between two networks over the same clips and seeds, with 95% half-widths."""

    difference: float
    clips: float
    """Half-width over other validation clips."""
    seeds: float
    """Half-width over other seeds."""

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval over other clips and seeds."""
        half = math.hypot(self.clips, self.seeds)
        return self.difference - half, self.difference + half

    @property
    def is_gain(self) -> bool:
        """Return True if the whole interval is above 0."""
        return self.interval[0] > 0


def paired_difference(
    values: Sequence[tuple[float, float]],
    right: Sequence[tuple[str, str]],
    run_sd: float,
    num_compared: int = 1,
) -> PairedDifference:
    """Return the difference between two networks that were trained with the same seeds.

    If the first network was chosen among several by these very seeds, luck favors it. Its interval then is
    one of `num_compared` that all hold at once with 95% (Bonferroni; Dunn, "Multiple comparisons among
    means", 1961), which is true of whichever is chosen.

    The deviation between seeds has a scaled inverse chi-squared prior, worth `_PRIOR_RUNS` seeds of the
    deviation that the search showed (Gelman et al., "Bayesian Data Analysis", section 2.6), since two seeds
    alone say little about it. The deviation over clips is that of the difference of a clip, as in McNemar's
    test, averaged over the seeds. The seeds' own part of it counts twice, so the interval is rather wide.

    Args:
        values: value of the first and of the second network with each seed, at least one.
        right: the clips that they get right with each seed, as 1 and 0; empty if that is not known.
        run_sd: standard deviation of the values of runs that share their pass 1.
        num_compared: number of networks among which the first was chosen by these seeds.
    """
    z = _Z_95 if num_compared == 1 else NormalDist().inv_cdf(1 - 0.025 / num_compared)
    differences = [first - second for first, second in values]
    centre, number = sum(differences) / len(differences), len(differences)
    degrees = _PRIOR_RUNS + number - 1
    squares = _PRIOR_RUNS * 2 * run_sd**2 + sum((each - centre) ** 2 for each in differences)
    seeds = _student_quantile(z, degrees) * math.sqrt(squares / degrees / number)
    return PairedDifference(centre, z * _clip_error(right), seeds)


def _clip_error(right: Sequence[tuple[str, str]]) -> float:
    """Return the standard error over clips of a difference of accuracies; 0 if the clips are not known."""
    num_clips = len(right[0][0]) if right else 0
    if num_clips < 2:
        return 0.0
    by_clip = [
        sum(int(first[clip]) - int(second[clip]) for first, second in right) / len(right)
        for clip in range(num_clips)
    ]
    centre = sum(by_clip) / num_clips
    return math.sqrt(sum((each - centre) ** 2 for each in by_clip) / (num_clips - 1) / num_clips)


def _student_quantile(z: float, degrees: int) -> float:
    """Return the quantile of Student's distribution where the normal distribution's is z.

    By the expansion of Abramowitz & Stegun 26.7.5. From 4 degrees of freedom on its error is below 0.1% up to
    a z of 2, and below 1% up to 3.
    """
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / degrees**power for power, term in enumerate(terms))


def within_noise(first: float, second: float, num_clips: int) -> bool:
    """Return whether either of two accuracies lies in the other's 95% confidence interval.

    This is conservative: both networks classify the same clips, so that `mcnemar_p_value` would distinguish
    more of them, but the records hold no predictions of single clips.

    Args:
        first: accuracy of one network.
        second: accuracy of another network on the same clips.
        num_clips: number of clips.
    """
    low, high = wilson_interval(first, num_clips)
    other_low, other_high = wilson_interval(second, num_clips)
    return low <= second <= high or other_low <= first <= other_high


def mcnemar_p_value(num_won: int, num_lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test of two networks on the same clips.

    McNemar, "Note on the sampling error of the difference between correlated proportions" (1947): if both
    networks are equally good, each clip that only one of them gets right is either's with probability 1/2.

    Args:
        num_won: number of clips that only the first network gets right.
        num_lost: number of clips that only the second network gets right.
    """
    if num_won + num_lost == 0:
        return 1.0
    from scipy.stats import binomtest  # noqa: PLC0415, takes a second to import

    return float(binomtest(num_won, num_won + num_lost).pvalue)
