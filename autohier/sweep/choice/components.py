"""Causes that the accuracies of two networks have in common, each as a covariance matrix.

*Signal* is a property of the config, so that it comes again with another seed: smooth functions of the loss
weights, of the superclass counts and of the pruned share, and parts of the variant, of training settings, of
the prefix and of the chain. *Noise* is a property of the run: the shift of a seed, and a walk along the chain
of passes, which starts in pass 2. A walk's correlation falls by `_PER_PASS` with every pass between two
networks, counted back to the pass in which their chains part.

Sizes: N networks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from math import log2, sqrt

import numpy as np
from numpy.typing import NDArray

from autohier.sweep.choice.measured import Measured

Matrix = NDArray[np.float64]
_Key = Callable[[Measured], Hashable]

_WEIGHT_LENGTH = 1.25
"""Distance, in octaves of the weight ratio, over which the accuracy changes its course."""
_COUNT_LENGTH = 1.5
"""The same in octaves of the superclass counts, root mean square over the levels."""
_SPARSITY_LENGTH = 0.2
"""The same in pruned shares of the filters."""
_OTHER_SCOPE = 0.5
"""Correlation of the effect of pruning between the two scopes."""
_PER_PASS = 0.6
"""Correlation of the noise of two passes that follow each other."""


@dataclass(frozen=True, slots=True)
class Component:
    """One cause of accuracies."""

    name: str
    covariance: Matrix
    """Of the networks in rows and columns, for a standard deviation of 1."""
    typical: float
    """Standard deviation that is expected before anything is measured, in log-odds of the accuracy."""
    is_signal: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """Hyperparameters of a sweep other than the method's own."""

    has_variants: bool
    settings: tuple[str, ...]
    """Names of the training settings."""

    @classmethod
    def of(cls, measured: Sequence[Measured]) -> Searched:
        """Find what differs among the measured networks."""
        names = {name for each in measured for name, _ in each.params.settings}
        return cls(len({each.params.variant for each in measured}) > 1, tuple(sorted(names)))


def signal(rows: Sequence[Measured], columns: Sequence[Measured], searched: Searched) -> list[Component]:
    """Return the components of the configs."""
    parts = [
        Component("loss weights", _smooth(_weights(rows), _weights(columns), _WEIGHT_LENGTH), 0.15, True),
        Component("superclasses", _smooth(_counts(rows), _counts(columns), _COUNT_LENGTH), 0.12, True),
        Component("pruned share", _pruned(rows, columns), 0.15, True),
        Component("retraining", np.outer(_is_retrained(rows), _is_retrained(columns)), 0.05, True),
        Component("prefix", _equal(rows, columns, lambda each: each.params.prefix), 0.04, True),
        Component("network", _equal(rows, columns, lambda each: each.network), 0.03, True),
    ]
    if searched.has_variants:
        variant = _equal(rows, columns, lambda each: each.params.variant)
        parts.append(Component("variant", variant, 0.3, True))
    settings = {name: _equal(rows, columns, partial(_setting, name)) for name in searched.settings}
    return parts + [Component(name, equal, 0.1, True) for name, equal in settings.items()]


def _setting(name: str, measured: Measured) -> str:
    return repr(dict(measured.params.settings).get(name))


def run_noise(measured: Sequence[Measured], binomial: float) -> list[Component]:
    """Return the components of the runs.

    Args:
        measured: the networks.
        binomial: standard deviation that a validation split of independent clips has, in log-odds.
    """
    same_seed = _equal(measured, measured, lambda each: (each.seed, each.params.flat))
    return [
        Component("seed", same_seed, 0.15, False),
        Component("run", same_seed * _walk(measured), 0.7 * binomial, False),
    ]


def _smooth(rows: Matrix, columns: Matrix, length: float) -> Matrix:
    squared = ((rows[:, None, :] - columns[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-squared / (2 * length**2)))


def _weights(measured: Sequence[Measured]) -> Matrix:
    return np.array([[log2(each.params.weight_ratio)] for each in measured])


def _counts(measured: Sequence[Measured]) -> Matrix:
    """Return the logarithms of the counts, so that the distance of two rows is their mean over levels."""
    levels = max((len(each.params.superclasses) for each in measured), default=0)
    rows = [[log2(count) for count in each.params.superclasses] for each in measured]
    padded = [row + [0.0] * (levels - len(row)) for row in rows]
    return np.array(padded).reshape(len(rows), levels) / sqrt(max(1, levels))


def sparsity(measured: Measured) -> float:
    """Return the share of the filters that the passes up to this one have pruned."""
    return float(1 - (1 - measured.params.ratio) ** measured.pass_index)


def _pruned(rows: Sequence[Measured], columns: Sequence[Measured]) -> Matrix:
    """Return the covariance of a smooth function of the pruned share that is 0 where nothing is pruned."""
    one, other = (np.array([[sparsity(each)] for each in side]) for side in (rows, columns))
    zero = np.zeros((1, 1))
    smooth = _smooth(one, other, _SPARSITY_LENGTH)
    from_zero = _smooth(one, zero, _SPARSITY_LENGTH) @ _smooth(zero, other, _SPARSITY_LENGTH)
    same_scope = _equal(rows, columns, lambda each: each.params.scope)
    return np.asarray((smooth - from_zero) * (_OTHER_SCOPE + (1 - _OTHER_SCOPE) * same_scope))


def _is_retrained(measured: Sequence[Measured]) -> Matrix:
    return np.array([float(each.pass_index > 0) for each in measured])


def _walk(measured: Sequence[Measured]) -> Matrix:
    same_prefix = _equal(measured, measured, lambda each: each.params.prefix)
    same_chain = _equal(measured, measured, lambda each: each.params.chain)
    passes = np.array([each.pass_index for each in measured])
    along, across = np.abs(passes[:, None] - passes), passes[:, None] + passes
    return np.asarray(same_prefix * _PER_PASS ** np.where(same_chain > 0, along, across))


def _equal(rows: Sequence[Measured], columns: Sequence[Measured], key: _Key) -> Matrix:
    """Return 1 where a key of the row equals that of the column, else 0."""
    numbers: dict[Hashable, int] = {}
    one, other = (
        np.array([numbers.setdefault(key(each), len(numbers)) for each in side]) for side in (rows, columns)
    )
    return np.asarray(one[:, None] == other[None, :], dtype=float)
