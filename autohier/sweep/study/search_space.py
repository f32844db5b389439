"""The Optuna search space of a sweep: static, and feasible by construction.

A study's parameters are ``fanout_1..L`` in [0, 1] (see `autohier.config.search.counts`), ``weight_ratio`` and
``ratio`` as positions in the search space's tables, ``scope`` and ``passes``; ``variant`` if there are
variants; and searched training settings by their dotted names, as positions in their tables, which are
ordered if the values ascend. Every trial has all of them, so samplers that model parameters jointly can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from autohier.config.search.counts import decode_counts, encode_counts, nearest_counts
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.overrides import changes_pass_2, is_ordered

OFF_GRID: Final = "off_grid"
"""User attribute of a trial whose config the study's parameters cannot encode: its hyperparameters."""


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of every parameter."""
    search = space.search
    fanouts = {name: FloatDistribution(0.0, 1.0) for name in _fanout_names(space)}
    variants = {"variant": CategoricalDistribution(tuple(search.variants))} if search.variants else {}
    return {
        **fanouts,
        "weight_ratio": IntDistribution(0, len(search.weight_ratios) - 1),
        "scope": CategoricalDistribution(search.scopes),
        "ratio": IntDistribution(0, len(search.ratios) - 1),
        "passes": IntDistribution(0, search.max_passes),
        **variants,
        **{name: _positions(table) for name, table in search.settings.items()},
    }


def decode(space: SearchSpace, encoded: Mapping[str, Any]) -> Hyperparameters:
    """Return the hyperparameters that a study's parameters encode."""
    return Hyperparameters(
        superclasses=decode_counts([encoded[name] for name in _fanout_names(space)], space.allowed_counts),
        weight_ratio=space.search.weight_ratios[encoded["weight_ratio"]],
        scope=encoded["scope"],
        ratio=space.search.ratios[encoded["ratio"]],
        passes=encoded["passes"],
        variant=encoded.get("variant", ""),
        settings={name: table[encoded[name]] for name, table in space.search.settings.items()},
    )


def encode(space: SearchSpace, params: Hyperparameters) -> dict[str, Any]:
    """Return parameters that decode to given hyperparameters.

    Raises:
        InputError: if a superclass count is not allowed in the search space.
        ValueError: if the pruning ratio is not in the table; a `SearchSpace` checks its initial configs.
    """
    params = space.complete(params)
    variants = {"variant": params.variant} if space.search.variants else {}
    settings = dict(params.settings)
    fanouts = encode_counts(params.superclasses, space.allowed_counts)
    return {
        **dict(zip(_fanout_names(space), fanouts, strict=True)),
        "weight_ratio": space.weight_index(params),
        "scope": params.scope,
        "ratio": space.search.ratios.index(params.ratio),
        "passes": params.passes,
        **variants,
        **{name: table.index(settings[name]) for name, table in space.search.settings.items()},
    }


def encode_nearest(space: SearchSpace, params: Hyperparameters) -> dict[str, Any]:
    """Return parameters of the nearest config on the grid; a trial off the grid must have some, too."""
    ratios = space.search.weight_ratios
    nearest = {
        "superclasses": nearest_counts(params.superclasses, space.allowed_counts),
        "weight_ratio": min(ratios, key=lambda ratio: abs(math.log(ratio / params.weight_ratio))),
    }
    return encode(space, params.model_copy(update=nearest))


def params_of(space: SearchSpace, trial: FrozenTrial) -> Hyperparameters:
    """Return the hyperparameters of a study's trial, which may lie off the grid."""
    exact = trial.user_attrs.get(OFF_GRID)
    if exact is None:
        return decode(space, trial.params)
    return Hyperparameters.model_validate({**exact, "passes": trial.params["passes"]})


def prefix_names(space: SearchSpace) -> list[str]:
    """Return the names of the parameters that pass 2 depends on."""
    search = space.search
    variant = ["variant"] if search.variants else []
    return [*_fanout_names(space), "weight_ratio", *variant, *filter(changes_pass_2, search.settings)]


def _positions(table: Sequence[object]) -> BaseDistribution:
    last = len(table) - 1
    return IntDistribution(0, last) if is_ordered(table) else CategoricalDistribution(range(last + 1))


def _fanout_names(space: SearchSpace) -> list[str]:
    return [f"fanout_{level + 1}" for level in range(space.search.levels)]
