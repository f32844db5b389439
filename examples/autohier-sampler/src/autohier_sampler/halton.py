"""A quasi-random sampler: spreads configs more evenly than uniform sampling does.

autohier builds a new sampler for every trial (see `autohier.sweep.study.sampling.samplers`), so the position
in the sequence follows from the trials that the sampler sees, not from a counter of its own.
"""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from scipy.stats import qmc

from autohier.config.search.search_space import SearchSpace


def build(seed: int, space: SearchSpace) -> HaltonSampler:  # noqa: ARG001
    """Return the sampler; `seed` shifts the sequence."""
    return HaltonSampler(seed)


class HaltonSampler(RandomSampler):
    """Samples the point of a scrambled Halton sequence that follows the trials so far."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self._seed = seed

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Return one value for every parameter."""
        sequence = qmc.Halton(d=len(search_space), seed=self._seed)
        sequence.fast_forward(len(study.get_trials(deepcopy=False)))
        point = sequence.random(1)[0]
        return {
            name: _pick(distribution, float(share))
            for (name, distribution), share in zip(search_space.items(), point, strict=True)
        }


def _pick(distribution: BaseDistribution, share: float) -> str | float:
    if isinstance(distribution, FloatDistribution):
        return distribution.low + share * (distribution.high - distribution.low)
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(share * len(distribution.choices))]
    return distribution.low + int(share * (distribution.high - distribution.low + 1))
