"""Optimizers of a network's weights: Adam, and stochastic gradient descent with momentum.

Fused: the plain optimizers pass over all weights several times, a tenth of a small network's step.

torch's optimizers import its compiler, which nothing here uses, at their first call. That takes two processor
seconds and a hundred megabytes in every process of a sweep, so that the methods here are those beneath the
wrappers that do it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

_OptimizerT = TypeVar("_OptimizerT", bound=Optimizer)


def _without_compiler(kind: type[_OptimizerT]) -> type[_OptimizerT]:
    """Return a subclass whose methods compute the same and do not import torch's compiler."""
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


_Adam, _Sgd = _without_compiler(torch.optim.Adam), _without_compiler(torch.optim.SGD)


class OptimizerBuilder(Protocol):
    """Builds the optimizer of one stage."""

    def __call__(self, parameters: Iterable[nn.Parameter], /) -> Optimizer:
        """Return a new optimizer of the parameters."""


def adam(parameters: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float = 0.0) -> Optimizer:
    """Return Adam, with weight decay as an l2 term in the gradient."""
    return _Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)


def sgd(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    nesterov: bool = True,
) -> Optimizer:
    """Return stochastic gradient descent, with weight decay as an l2 term in the gradient.

    Args:
        parameters: weights to train.
        learning_rate: initial rate.
        weight_decay: factor of the weights that is added to the gradient.
        momentum: share of the previous step that the next one keeps.
        nesterov: take the gradient's step from where the momentum leads.
    """
    return _Sgd(
        parameters,
        lr=learning_rate,
        weight_decay=weight_decay,
        momentum=momentum,
        nesterov=nesterov,
        fused=True,
    )
