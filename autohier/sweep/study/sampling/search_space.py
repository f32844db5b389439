"""The space that samplers sample: codes of hyperparameters, static, and feasible by construction.

The codes are ``fanout_1..L`` in [0, 1] (see `autohier.config.search.counts`), ``weight_ratio`` and
``ratio`` as positions in the search space's tables, ``scope`` and ``passes``; ``variant`` if there are
variants; and searched training settings by their dotted names, as positions in their tables, which are
ordered if the values ascend. Every config has all of them, so samplers that model parameters jointly can.

A study stores the hyperparameters themselves (see `autohier.sweep.study.parameters`), and the code in one
user attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autohier.config.search.counts import decode_counts, encode_counts
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.overrides import changes_pass_2, is_ordered

PRUNING_NAMES: Final = ("scope", "ratio", "passes")
"""Codes that decide how much is pruned."""


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of every code."""
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
    """Return the hyperparameters of a code."""
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
    """Return a code that decodes to given hyperparameters.

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


def plain_code(space: SearchSpace, code: Mapping[str, Any]) -> dict[str, Any]:
    """Return a code in plain numbers and texts, which samplers may give as those of NumPy."""
    return {
        name: one.to_external_repr(one.to_internal_repr(code[name]))
        for name, one in distributions(space).items()
    }


def prefix_names(space: SearchSpace) -> list[str]:
    """Return the names of the codes that pass 2 depends on."""
    search = space.search
    variant = ["variant"] if search.variants else []
    return [*_fanout_names(space), "weight_ratio", *variant, *filter(changes_pass_2, search.settings)]


def _positions(table: Sequence[object]) -> BaseDistribution:
    last = len(table) - 1
    return IntDistribution(0, last) if is_ordered(table) else CategoricalDistribution(range(last + 1))


def _fanout_names(space: SearchSpace) -> list[str]:
    return [f"fanout_{level + 1}" for level in range(space.search.levels)]
