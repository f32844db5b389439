"""The parameters of a study's trials: hyperparameters as people read them, e.g. ``weight_ratio`` 0.5.

They are what `optuna.load_study` and optuna-dashboard show: ``superclasses_1..L``, ``weight_ratio``,
``scope``, ``ratio`` and ``passes``, as ``train --set`` names them; ``variant`` if there are variants; and
searched training settings by their dotted names. Samplers work on codes of them (see
`autohier.sweep.study.sampling.search_space`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.overrides import is_number, value_text

_LOG_SPAN: Final = 10
"""Quotient of the highest and the lowest value from which a setting has a logarithmic axis."""
_COUNT = "superclasses_"


def parameters(space: SearchSpace, params: Hyperparameters) -> dict[str, Any]:
    """Return a study's parameters for hyperparameters, which may lie off the search space's grid."""
    params = space.complete(params)
    tables = space.search.settings
    return {
        **{f"{_COUNT}{level}": count for level, count in enumerate(params.superclasses, start=1)},
        "weight_ratio": params.weight_ratio,
        "scope": params.scope,
        "ratio": params.ratio,
        "passes": params.passes,
        **({"variant": params.variant} if space.search.variants else {}),
        **{name: _plain(tables[name], value) for name, value in params.settings if name in tables},
    }


def parameter_distributions(space: SearchSpace, params: Hyperparameters) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of every parameter of a trial.

    It is the same for all configs of a search, initial ones off the grid included. A control lies outside
    the ranges that the search samples; then they are wider.
    """
    search, given = space.search, (*space.initial, params)
    counts = {*space.allowed_counts, *(count for each in given for count in each.superclasses)}
    weights = {*search.weight_ratios, *(each.weight_ratio for each in given)}
    ratios = {*search.ratios, params.ratio}
    num_levels = len(params.superclasses)
    return {
        **{f"{_COUNT}{level}": _numbers(counts, log=True) for level in range(1, num_levels + 1)},
        "weight_ratio": _floats(weights, log=True),
        "scope": CategoricalDistribution(tuple(dict.fromkeys((*search.scopes, params.scope)))),
        "ratio": _floats(ratios),
        "passes": IntDistribution(0, max(search.max_passes, params.passes)),
        **({"variant": CategoricalDistribution(tuple(search.variants))} if search.variants else {}),
        **{name: _setting(table) for name, table in search.settings.items()},
    }


def params_of(space: SearchSpace, trial: FrozenTrial) -> Hyperparameters:
    """Return the hyperparameters of a study's trial."""
    stored: Mapping[str, Any] = trial.params
    num_levels = sum(name.startswith(_COUNT) for name in stored)
    tables = space.search.settings
    return Hyperparameters(
        superclasses=tuple(stored[f"{_COUNT}{level}"] for level in range(1, num_levels + 1)),
        weight_ratio=stored["weight_ratio"],
        scope=stored["scope"],
        ratio=stored["ratio"],
        passes=stored["passes"],
        variant=stored.get("variant", ""),
        settings={name: _value(table, stored[name]) for name, table in tables.items()},
    )


def _setting(table: Sequence[Any]) -> BaseDistribution:
    if not all(map(is_number, table)):
        return CategoricalDistribution(tuple(_plain(table, value) for value in table))
    low, high = min(table), max(table)
    return _numbers(table, log=low > 0 and high >= _LOG_SPAN * low)


def _numbers(values: Iterable[float], *, log: bool = False) -> BaseDistribution:
    values = list(values)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(int(min(values)), int(max(values)), log=log)
    return _floats(values, log=log)


def _floats(values: Iterable[float], *, log: bool = False) -> FloatDistribution:
    values = list(values)
    return FloatDistribution(float(min(values)), float(max(values)), log=log)


def _plain(table: Sequence[Any], value: Any) -> Any:  # noqa: ANN401  as in the table
    """Return what stands for a setting's value in a study: a number if the table has no other values."""
    return value if all(map(is_number, table)) or isinstance(value, str | bool) else value_text(value)


def _value(table: Sequence[Any], stored: object) -> object:
    """Return the value of a setting's table that a study's parameter stands for.

    Raises:
        ValueError: if the table lacks it.
    """
    plain = [_plain(table, value) for value in table]
    return table[plain.index(stored)]
