"""Batch norm over the clips of all ranks.

torch.nn.SyncBatchNorm does not run on CPUs, and needs its own group of processes.

Legend: C channels, W ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from autohier.core.training.replicas.current_part import CurrentPart
from autohier.errors import InputError

_OWN_FORWARDS = (_BatchNorm.forward, nn.SyncBatchNorm.forward)


def require_known_norm(name: str, norm: _BatchNorm) -> None:
    """Check that a batch norm can use the statistics of all ranks.

    Raises:
        InputError: if it computes something else than torch's batch norm, or has no running statistics.
    """
    hint = "train this recognizer on one accelerator"
    if type(norm).forward not in _OWN_FORWARDS:
        got = f"{type(norm).__name__} at {name}, with a forward method of its own"
        raise InputError("a batch norm over several accelerators must be torch's", got=got, hint=hint)
    if norm.running_mean is None:
        got = f"{type(norm).__name__} at {name} without them"
        raise InputError("a batch norm on several accelerators needs running statistics", got=got, hint=hint)


def norm_over_ranks(norm: _BatchNorm, part: CurrentPart, values: Tensor) -> Tensor:
    """Compute the forward pass of a batch norm with the statistics of the part's clips on all ranks.

    Running statistics are updated with the mean and the unbiased variance of all ranks, as torch does.

    Raises:
        ValueError: if a channel has a single value, as torch does.
    """
    if not norm.training:
        return type(norm).forward(norm, values)
    norm._check_input_dim(values)  # type: ignore[no-untyped-call]  # noqa: SLF001
    num_read = max(1, part.share.num_own)
    per_channel = values.numel() // (values.shape[1] * num_read) * part.share.num_clips
    if per_channel < 2:
        raise ValueError(f"Expected more than 1 value per channel when training, got {per_channel}")
    mean_C, variance_C = _moments(_wide(values), part)
    _update_running(norm, mean_C, variance_C * (per_channel / (per_channel - 1)))
    constants = _Constants(part, part.weight, per_channel, norm.eps)
    result: Tensor = _Norm.apply(values, norm.weight, norm.bias, mean_C, variance_C, constants)  # type: ignore[no-untyped-call]
    return result


@dataclass(frozen=True, slots=True)
class _Constants:
    part: CurrentPart
    weight: float
    """Share of this rank's clips."""
    per_channel: int
    """Number of values of a channel on all ranks."""
    eps: float


@torch.no_grad()
def _moments(values: Tensor, part: CurrentPart) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of every channel over all ranks; the same bits on every rank.

    The ranks exchange means and variances, as squares of large values would cancel.
    """
    replicas = part.replicas
    variance_C, mean_C = torch.var_mean(values, _all_but_channels(values), correction=0)
    own = torch.cat([mean_C, variance_C, mean_C.new_tensor([part.weight])])
    all_W = own.new_zeros((replicas.width, len(own)))
    if part.weight:
        all_W[replicas.rank] = own
    replicas.sum_(all_W)
    means_WC, variances_WC = all_W[:, :-1].chunk(2, dim=1)
    weights_W1 = all_W[:, -1:]
    mean_C = (weights_W1 * means_WC).sum(dim=0)
    return mean_C, (weights_W1 * (variances_WC + (means_WC - mean_C).square())).sum(dim=0)


@torch.no_grad()
def _update_running(norm: _BatchNorm, mean_C: Tensor, unbiased_C: Tensor) -> None:
    momentum = norm.momentum
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if momentum is None:
            momentum = 1.0 / float(norm.num_batches_tracked)
    for running_C, new_C in ((norm.running_mean, mean_C), (norm.running_var, unbiased_C)):
        if running_C is not None:
            running_C.mul_(1 - (momentum or 0.0)).add_(new_C, alpha=momentum or 0.0)


class _Norm(torch.autograd.Function):
    """Normalization by the moments of all ranks, with their gradients."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        values: Tensor,
        gamma_C: Tensor | None,
        beta_C: Tensor | None,
        mean_C: Tensor,
        variance_C: Tensor,
        constants: _Constants,
    ) -> Tensor:
        ctx.save_for_backward(values, gamma_C, mean_C, (variance_C + constants.eps).rsqrt())
        ctx.constants = constants
        normed = F.batch_norm(
            _wide(values), mean_C, variance_C, gamma_C, beta_C, training=False, eps=constants.eps
        )
        return normed.to(values.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        values, gamma_C, mean_C, inverse_C = ctx.saved_tensors
        constants: _Constants = ctx.constants
        shape = [1, -1, *[1] * (values.ndim - 2)]
        axes = _all_but_channels(values)
        wide_grad = _wide(grad)
        normed = (_wide(values) - mean_C.view(shape)) * inverse_C.view(shape)
        sum_C, product_C = wide_grad.sum(axes), (wide_grad * normed).sum(axes)
        grad_values = None
        if ctx.needs_input_grad[0]:
            # The gradients of all ranks' clips reach this rank's values through the common moments.
            means_2C = constants.part.replicas.sum_(torch.stack([sum_C, product_C])) / constants.per_channel
            scale_C = inverse_C if gamma_C is None else gamma_C * inverse_C
            centered = wide_grad - means_2C[0].view(shape) - normed * means_2C[1].view(shape)
            grad_values = (centered * scale_C.view(shape)).to(values.dtype)
            if not constants.weight:
                grad_values = torch.zeros_like(grad_values)
        return (
            grad_values,
            product_C if ctx.needs_input_grad[1] else None,
            sum_C if ctx.needs_input_grad[2] else None,
            None,
            None,
            None,
        )


def _all_but_channels(values: Tensor) -> list[int]:
    return [axis for axis in range(values.ndim) if axis != 1]


def _wide(values: Tensor) -> Tensor:
    """Return values in at least float32, in which moments are computed."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
