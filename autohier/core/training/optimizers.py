"""Optimizers of a network's weights: Adam, and stochastic gradient descent with momentum.

Fused: the plain optimizers pass over all weights several times, a tenth of a small network's step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer


class OptimizerBuilder(Protocol):
    """Builds the optimizer of one stage."""

    def __call__(self, parameters: Iterable[nn.Parameter], /) -> Optimizer:
        """Return a new optimizer of the parameters."""


def adam(parameters: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float = 0.0) -> Optimizer:
    """Return Adam, with weight decay as an l2 term in the gradient."""
    return torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)


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
    return torch.optim.SGD(
        parameters,
        lr=learning_rate,
        weight_decay=weight_decay,
        momentum=momentum,
        nesterov=nesterov,
        fused=True,
    )
