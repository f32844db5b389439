"""Choice of a network by its estimated accuracy, or by the highest measured one.

The highest of many noisy values is mostly luck. The estimate of a network is what the model of
`autohier.sweep.choice.model` expects of it on other clips and with other seeds, given everything that the
sweep measured: the stages of complete and of stopped trials, and values at rungs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from math import erf, sqrt
from statistics import NormalDist, mean

import numpy as np

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.choice.measured import Measured, network_of, unique
from autohier.sweep.choice.model import NoiseModel, Posterior

_Z_95 = NormalDist().inv_cdf(0.975)
_NUM_RIVALS = 24
"""Candidates that are compared for the probability of being the best; others have none to speak of."""
_NUM_DRAWS = 4096
_ROUNDING = 1e-12
_CERTAINTY = 0.7
"""Probability of being better from which on another config is preferred to the first initial one. Of 0.6,
0.7, 0.8 and 0.9, 0.7 gave the highest true accuracy on the 64 simulated sweeps that it was chosen on; see the
page on search quality."""
_DIGITS = 6
"""Decimal places that count in a comparison: below them, machines may differ in the order of their sums."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that a sweep measured: a config and the number of its passes."""

    params: Hyperparameters
    pass_index: int
    """0 for pass 2, k for the k-th pruning pass."""
    trials: tuple[str, ...]
    """Names of the trials that measured it, or a longer chain that contains it."""
    observed: float
    """Mean of its measured values, one for every seed."""
    num_seeds: int
    estimate: float
    """Posterior mean of its accuracy."""
    sd: float
    """Posterior standard deviation of its accuracy."""
    best_probability: float
    """Probability that no other candidate has a higher accuracy."""
    beaten: float
    """Probability that the first candidate is more accurate; 0.5 for the first itself."""

    @property
    def network(self) -> tuple[object, ...]:
        """Values that it depends on, as `network_of` names it."""
        return network_of(self.params, self.pass_index)

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of its accuracy."""
        half = _Z_95 * self.sd
        return max(0.0, self.estimate - half), min(1.0, self.estimate + half)


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates of a sweep."""

    candidates: tuple[Candidate, ...]
    """Highest estimate first."""
    covariance: tuple[tuple[float, ...], ...] = ()
    """Posterior covariance of the first few candidates' accuracies."""
    run_sd: float = 0.0
    """Standard deviation of the accuracies of runs of one config that share their pass 1."""

    def prefers(self, network: tuple[object, ...]) -> bool:
        """Return whether a network is a candidate that the first one does not beat with enough certainty.

        Args:
            network: as `network_of` names it.
        """
        own = [each for each in self.candidates if network_of(each.params, each.pass_index) == network]
        return bool(own) and own[0].beaten < _CERTAINTY


def choose(
    measured: Iterable[Measured],
    num_clips: int,
    among: Container[tuple[object, ...]] | None = None,
) -> Choice:
    """Estimate the accuracy of every measured network.

    The result does not depend on the order of the measurements, and is the same on every call.

    Args:
        measured: everything that the sweep's trials measured; stages that several share may come repeatedly.
        num_clips: number of validation clips.
        among: the candidates, as `network_of` names them; None takes every measured network.
    """
    measured = list(measured)
    stages = unique(measured)
    groups = [group for group in _by_network(stages) if among is None or group[0].network in among]
    if not groups:
        return Choice(())
    firsts = [group[0] for group in groups]
    model = NoiseModel(stages, max(1, num_clips))
    posterior = model.posterior(firsts)
    observed = [mean(each.value for each in group) for group in groups]
    means = [round(float(each), _DIGITS) for each in posterior.means]
    order = sorted(
        range(len(groups)), key=lambda index: (-means[index], -observed[index], firsts[index].stage)
    )
    rivals = order[:_NUM_RIVALS]
    best = dict(zip(rivals, _best_probabilities(posterior, rivals), strict=True))
    beaten = _beaten(posterior, order[0])
    trials = _trials_by_network(measured)
    candidates = tuple(
        Candidate(
            params=firsts[index].params,
            pass_index=firsts[index].pass_index,
            trials=trials[firsts[index].network],
            observed=observed[index],
            num_seeds=len(groups[index]),
            estimate=float(posterior.means[index]),
            sd=float(posterior.sds[index]),
            best_probability=best.get(index, 0.0),
            beaten=beaten[index],
        )
        for index in order
    )
    covariance = posterior.covariance(rivals)
    return Choice(candidates, tuple(tuple(map(float, row)) for row in covariance), model.run_sd)


def _by_network(stages: Sequence[Measured]) -> list[list[Measured]]:
    groups: dict[tuple[object, ...], list[Measured]] = {}
    for each in stages:
        if each.rung_epoch is None:
            groups.setdefault(each.network, []).append(each)
    return list(groups.values())


def _trials_by_network(measured: Iterable[Measured]) -> dict[tuple[object, ...], tuple[str, ...]]:
    names: dict[tuple[object, ...], set[str]] = {}
    for each in measured:
        if each.rung_epoch is None:
            names.setdefault(each.network, set()).add(each.trial)
    return {network: tuple(sorted(each)) for network, each in names.items()}


def _best_probabilities(posterior: Posterior, rivals: Sequence[int]) -> list[float]:
    """Return the share of draws from the posterior in which each rival is the best."""
    covariance = posterior.covariance(rivals)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(0).standard_normal((_NUM_DRAWS, len(rivals)))
    draws = posterior.means[list(rivals)] + normal @ root.T
    wins = np.bincount(draws.argmax(axis=1), minlength=len(rivals))
    return [float(number) / _NUM_DRAWS for number in wins]


def _beaten(posterior: Posterior, first: int) -> list[float]:
    """Return the probability that the first is more accurate than each candidate."""
    leads = posterior.means[first] - posterior.means
    return [
        _positive(float(lead), float(variance))
        for lead, variance in zip(leads, posterior.difference_variances(first), strict=True)
    ]


def _positive(mean_: float, variance: float) -> float:
    """Return the probability that a normal variable is above 0; without variance 1/2 if it is 0."""
    if variance <= _ROUNDING:
        return 1.0 if mean_ > _ROUNDING else 0.5
    return (1 + erf(mean_ / sqrt(2 * variance))) / 2
