"""Gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from autohier.core.training.replicas.base import Replicas


@torch.no_grad()
def sum_gradients(parameters: Iterable[nn.Parameter], replicas: Replicas) -> None:
    """Add up the gradients of all ranks in place, in one operation for each dtype.

    All ranks must have gradients of the same parameters.
    """
    if replicas.width == 1:
        return
    by_dtype: dict[torch.dtype, list[torch.Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            by_dtype.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in by_dtype.values():
        flat = replicas.sum_(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()
