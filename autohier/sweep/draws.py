"""Drawing a setting: Optuna's samplers over what a sweep has seen.

The sampler works on a study of its own in memory, built for the ask from a bounded number of observations.
So a draw costs the same in a long sweep as in a short one, leaves no trace where its setting is not wanted,
and depends on nothing but its arguments.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.settings.space import Space
from autohier.settings.sweep import SamplerName
from autohier.sweep.coding import distributions

_NUM_BEST, _NUM_LATEST = 50, 150
"""What a sampler learns from in a long sweep; TPE models its good settings from at most 25."""


class Draws:
    """The draws of one ask: from the same observations, each with a seed of its own.

    Args:
        space: what may be drawn.
        observed: trials with a value, in the order in which they were told.
        running: trials without one yet: what they try is avoided.
    """

    def __init__(self, space: Space, observed: Sequence[FrozenTrial], running: Sequence[FrozenTrial]) -> None:
        self._distributions = distributions(space)
        self._study = optuna.create_study(direction="maximize")
        self._study.add_trials([self._bare(trial) for trial in (*_bounded(observed), *running)])

    def draw(self, sampler: SamplerName, seed: int, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of a setting.

        Args:
            sampler: which of Optuna's.
            seed: of the sampler.
            fixed: parameters that are given; the others are drawn.
        """
        self._study.sampler = _sampler(sampler, seed)
        self._study.enqueue_trial(dict(fixed))
        trial = self._study.ask(self._distributions)
        params = dict(trial.params)
        self._study.tell(trial, state=TrialState.FAIL)  # no sampler heeds it
        return params

    def _bare(self, trial: FrozenTrial) -> FrozenTrial:
        """What a sampler heeds of a trial: a study copies all that it is given."""
        return create_trial(
            state=trial.state,
            value=trial.value,
            params=trial.params,
            distributions=self._distributions,
            intermediate_values=trial.intermediate_values if trial.state is TrialState.PRUNED else None,
        )


def _bounded(observed: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    if len(observed) <= _NUM_BEST + _NUM_LATEST:
        return list(observed)
    earlier, latest = observed[:-_NUM_LATEST], observed[-_NUM_LATEST:]
    return [*heapq.nlargest(_NUM_BEST, earlier, key=_value), *latest]


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else float("-inf")


def _sampler(name: SamplerName, seed: int) -> BaseSampler:
    # Optuna's own start-up would count derived observations as trials, so it is left to the study.
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=1)
    return TPESampler(seed=seed, n_startup_trials=1)
