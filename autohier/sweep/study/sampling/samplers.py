"""The samplers that a sweep can use.

A package adds a sampler by an entry point in the group ``autohier.samplers`` (see `autohier.extensions`). Its
builder is called as ``build(seed, space)`` and returns an `optuna.samplers.BaseSampler`:

- A new sampler is built for every trial, with a seed of its own. It proposes from the trials of the study
  that it is given, and keeps no state between trials; a resumed sweep then samples as an uninterrupted one.
- The study holds complete trials, pruned ones (with the value at their last rung) and running ones, at
  most 200 with a value. The study maximizes.
- If the search minimizes multiply-adds, too, the study has two directions, and a second value: the cost in
  steps of 1% above the cheapest. Then pruned trials have no value, and no intermediate values.
- `sample_relative` gets every parameter that has more than one value. One that it leaves out is sampled with
  `sample_independent`.
- Start-up trials are sampled at random by the sweep, so a sampler needs none of its own.
"""

from __future__ import annotations

from typing import cast

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep_extensions import SAMPLERS


def build_sampler(name: str, seed: int, space: SearchSpace) -> BaseSampler:
    """Build a registered sampler.

    Raises:
        InputError: if no package offers the name, or its builder cannot be imported.
    """
    return cast("BaseSampler", SAMPLERS.find(name).load()(seed, space))


def build_tpe(seed: int, space: SearchSpace) -> BaseSampler:  # noqa: ARG001
    """Return Optuna's tree-structured Parzen estimator."""
    return TPESampler(seed=seed, n_startup_trials=1)


def build_gp(seed: int, space: SearchSpace) -> BaseSampler:  # noqa: ARG001
    """Return Optuna's Gaussian process; it learns from complete trials and ignores pruned ones."""
    return GPSampler(seed=seed, n_startup_trials=1)


def build_random(seed: int, space: SearchSpace) -> BaseSampler:  # noqa: ARG001
    """Return a uniform sampler."""
    return RandomSampler(seed=seed)
