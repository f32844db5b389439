"""Worlds: the true accuracy of every config, drawn for each simulated sweep.

The optimum lies near an initial config, but not at it, so that a search can find something. Contributions add
up in the logit of the accuracy. Their sources are tables of HAC, whose printed accuracies are turned into
logits, and 61 trainings of a temporal convolution on UTD-MHAD (21 configs, 3 seeds, 108 validation clips).

weights    Table 1, by the logarithm of the weight ratio. The optimum moves from world to world by 0.6 octaves
           and the curve is scaled by exp(N(0, 0.3)): assumptions, as HAC tuned one dataset.
counts     a parabola in octaves around a drawn optimum, near the first initial config's in half of the worlds
           and anywhere among the allowed counts in the others, and roughness; its size is that of Table 4.
pruning    concave in the share of filters that all passes together remove. The best share is that of Tables 9
           to 12; its logarithm has a standard deviation of 0.35 between datasets. Beyond it accuracy falls
           faster; see `Regime.global_fall`. Every pass costs a shock that grows with its ratio, and
           retraining gains.
variants   and training settings do not differ truly; no table compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log2
from statistics import NormalDist, mean

import numpy as np

from autohier.config.search.counts import decode_counts
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters, Scope
from autohier.digest import derive_seed
from autohier.sweep.planning.simulation.regimes import Regime, logit

_WEIGHTS = (-2.5, -2.0, -1.585, -1.0, 0.0, 1.0, 1.585, 2.0)
"""Logarithms of the weight ratios in Table 1; the first lies at the end of the search space, extrapolated."""
_WEIGHT_GAINS = (-0.18, -0.11, -0.10, 0.0, -0.19, -0.505, -0.554, -0.84)
"""Logit at these weight ratios, above that of the published config."""
_WEIGHT_SHIFT, _WEIGHT_SCALE = 0.6, 0.3
_PER_SQUARED_OCTAVE, _ROUGHNESS = 0.10, 0.04
_NEAR_COUNTS = 0.25
"""Standard deviation in octaves of the best counts around the first initial config's, if they are near it."""
_BEST_SPARSITY: dict[Scope, float] = {"layerwise": 0.28, "global": 0.24}
_SPARSITY_SPREAD, _PRUNING_GAIN = 0.35, 0.15
_LAYERWISE_FALL = 2.0
_SHOCK, _RETRAINING = 2.0, 0.03
"""Logit that a pruning pass loses per squared ratio, and that retraining gains, pruned or not."""
_NORMAL = NormalDist()


@lru_cache(maxsize=1 << 16)
def hashed_normal(*names: object) -> float:
    """Return a draw from the standard normal distribution that depends on the names alone."""
    return _NORMAL.inv_cdf((derive_seed(*names) + 0.5) / 2**31)


@dataclass(frozen=True, slots=True)
class World:
    """The true accuracy of every config and pass.

    Args:
        regime: size of the split, accuracy of pass 1, and noise.
        seed: names the world; roughness depends on it.
        best_counts: superclass counts, one per level, not necessarily whole.
        weight_shift: distance in octaves of the best weight ratio from the published 0.5.
        weight_scale: factor on Table 1's differences.
        best_sparsity: share of removed filters at which each pruning scope is best.
    """

    regime: Regime
    seed: int
    best_counts: tuple[float, ...]
    weight_shift: float
    weight_scale: float
    best_sparsity: Mapping[Scope, float]

    @classmethod
    def draw(cls, space: SearchSpace, regime: Regime, seed: int) -> World:
        """Draw a world; the same seed draws the same world."""
        random = np.random.default_rng(derive_seed("world", seed))
        shift, scale, *spreads = random.normal(size=2 + len(_BEST_SPARSITY))
        is_near, fanouts = random.random() < 1 / 2, random.random(space.search.levels)
        counts: tuple[float, ...] = decode_counts(list(fanouts), space.allowed_counts)
        if is_near and space.initial:
            octaves = _NEAR_COUNTS * random.normal(size=space.search.levels)
            published = space.initial[0].superclasses
            counts = tuple(float(n * 2**away) for n, away in zip(published, octaves, strict=True))
        return cls(
            regime=regime,
            seed=seed,
            best_counts=counts,
            weight_shift=_WEIGHT_SHIFT * float(shift),
            weight_scale=exp(_WEIGHT_SCALE * float(scale)),
            best_sparsity={
                scope: best * exp(_SPARSITY_SPREAD * float(spread))
                for (scope, best), spread in zip(_BEST_SPARSITY.items(), spreads, strict=True)
            },
        )

    def accuracy(self, params: Hyperparameters, pass_index: int | None) -> float:
        """Return the true accuracy of a config after a stage.

        Args:
            params: hyperparameters of the trial.
            pass_index: k for the k-th pruning pass, 0 for pass 2, None for pass 1.
        """
        return 1 / (1 + exp(-self.logit(params, pass_index)))

    def logit(self, params: Hyperparameters, pass_index: int | None) -> float:
        """Return the logit of `accuracy`."""
        gain = 0.0
        if pass_index is not None:
            gain = self.regime.pass_2_gain + self._weights(params.weight_ratio)
            gain += self._counts(params.superclasses)
            gain += self._pruning(params, pass_index) if pass_index else 0.0
        return logit(self.regime.pass_1) + self.regime.effect * gain

    def _weights(self, weight_ratio: float) -> float:
        octaves = log2(weight_ratio) - self.weight_shift
        return self.weight_scale * _interpolate(octaves, _WEIGHTS, _WEIGHT_GAINS)

    def _counts(self, counts: tuple[int, ...]) -> float:
        if not counts:
            return 0.0
        octaves = [log2(own / best) for own, best in zip(counts, self.best_counts, strict=True)]
        distance = mean(away**2 for away in octaves)
        return _ROUGHNESS * hashed_normal("roughness", self.seed, *counts) - _PER_SQUARED_OCTAVE * distance

    def _pruning(self, params: Hyperparameters, pass_index: int) -> float:
        scope, ratio = params.pruning
        if not ratio:
            return _RETRAINING
        best = self.best_sparsity[scope]
        excess = (1 - (1 - ratio) ** pass_index) / best - 1
        fall = self.regime.global_fall if scope == "global" else _LAYERWISE_FALL
        curve = 1 - (fall if excess > 0 else 1.0) * excess**2
        return _RETRAINING + _PRUNING_GAIN * curve - _SHOCK * ratio**2 * pass_index


def _interpolate(at: float, places: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Return the value at a place between the nearest two, or on the line through the first or last two."""
    last = len(places) - 1
    right = min(max(next((i for i, place in enumerate(places) if at <= place), last), 1), last)
    left = right - 1
    slope = (values[right] - values[left]) / (places[right] - places[left])
    return values[left] + slope * (at - places[left])
