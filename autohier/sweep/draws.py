"""Drawing a setting: Optuna's samplers over what a sweep has seen, as a pure function.

The sampler works on a study of its own in memory, built for the draw from a bounded number of observations.
So a draw costs the same in a long sweep as in a short one, leaves no trace where its setting is not wanted,
and depends on nothing but its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from autohier.settings.space import Space
from autohier.settings.sweep import SamplerName
from autohier.sweep.coding import distributions

_NUM_BEST, _NUM_LATEST = 100, 300
"""What a sampler learns from in a long sweep; TPE models its good settings from at most 25."""


def draw(
    space: Space,
    observed: Sequence[FrozenTrial],
    running: Sequence[FrozenTrial],
    *,
    sampler: SamplerName,
    seed: int,
    fixed: Mapping[str, Any],
) -> dict[str, Any]:
    """Parameters of a setting.

    Args:
        space: what may be drawn.
        observed: trials with a value, in the order in which they were told.
        running: trials without one yet: what they try is avoided.
        sampler: which of Optuna's.
        seed: of the sampler.
        fixed: parameters that are given; the others are drawn.
    """
    study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, seed))
    if sampler != "random":
        study.add_trials([*_bounded(observed), *running])
    study.enqueue_trial(dict(fixed))
    return study.ask(distributions(space)).params


def _bounded(observed: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    if len(observed) <= _NUM_BEST + _NUM_LATEST:
        return list(observed)
    earlier, latest = observed[:-_NUM_LATEST], observed[-_NUM_LATEST:]
    best = sorted(earlier, key=_value, reverse=True)[:_NUM_BEST]
    return [*best, *latest]


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else float("-inf")


def _sampler(name: SamplerName, seed: int) -> BaseSampler:
    # Optuna's own start-up would count derived observations as trials, so it is left to the study.
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=1)
    return TPESampler(seed=seed, n_startup_trials=1)
