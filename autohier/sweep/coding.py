"""Between what Optuna draws and what a trial does: a static space that is feasible by construction.

A study's parameters are ``fanout_1..L`` in [0, 1] (see autohier.settings.counts), ``weight_ratio`` and
``ratio`` as positions in the space's tables, ``scope`` and ``passes``; ``variant`` where the space has some;
and searched training settings by their dotted names, as positions in their tables, which are ordered where
these ascend. Every trial has all of them, so samplers never fall back to independent sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autohier.settings.choice import Choice
from autohier.settings.counts import decode_counts, encode_counts
from autohier.settings.overrides import changes_pass_2, is_ordered
from autohier.settings.space import Space


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What a study of this space draws from."""
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


def decode(space: Space, params: Mapping[str, Any]) -> Choice:
    """The choice that a study's parameters stand for."""
    return Choice(
        superclasses=decode_counts([params[name] for name in _fanout_names(space)], space.allowed_counts),
        weight_ratio=space.search.weight_ratios[params["weight_ratio"]],
        scope=params["scope"],
        ratio=space.search.ratios[params["ratio"]],
        passes=params["passes"],
        variant=params.get("variant", ""),
        settings={name: table[params[name]] for name, table in space.search.settings.items()},
    )


def encode(space: Space, choice: Choice) -> dict[str, Any]:
    """Parameters that decode to a choice of the space.

    Raises:
        InputError: where the choice has a superclass count that is not allowed.
        ValueError: where its ratio is not in the table; a Space checks its known settings for that.
    """
    choice = space.completed(choice)
    variants = {"variant": choice.variant} if space.search.variants else {}
    drawn = dict(choice.settings)
    fanouts = encode_counts(choice.superclasses, space.allowed_counts)
    return {
        **dict(zip(_fanout_names(space), fanouts, strict=True)),
        "weight_ratio": space.weight_index(choice),
        "scope": choice.scope,
        "ratio": space.search.ratios.index(choice.ratio),
        "passes": choice.passes,
        **variants,
        **{name: table.index(drawn[name]) for name, table in space.search.settings.items()},
    }


def prefix_names(space: Space) -> list[str]:
    """The parameters that pass 2 follows from."""
    search = space.search
    variant = ["variant"] if search.variants else []
    return [*_fanout_names(space), "weight_ratio", *variant, *filter(changes_pass_2, search.settings)]


def _positions(table: Sequence[object]) -> BaseDistribution:
    last = len(table) - 1
    return IntDistribution(0, last) if is_ordered(table) else CategoricalDistribution(range(last + 1))


def _fanout_names(space: Space) -> list[str]:
    return [f"fanout_{level + 1}" for level in range(space.search.levels)]
