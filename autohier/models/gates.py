"""Gates: attention that scales the channels of a network without mixing them.

A gate multiplies a channel by one plus a number between zero and one, or by a weight, so that it keeps a
channel of zeros. To `core.pruning.liveness`, a product of two live tensors is alive; these modules say which
factor decides.

Legend: N clips times persons, C channels, H channels of a hidden layer, K tensors of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """Scale x by ``1 + sigmoid(scores)``, where the scores have one channel for all channels of x."""

    def forward(self, x_NC: Tensor, scores_N1: Tensor) -> Tensor:
        """Return x scaled; the other axes of the scores broadcast over those of x."""
        return x_NC * (1 + torch.sigmoid(scores_N1))


class Weighting(Gate):
    """Multiply x by weights, where one weight holds for all channels of x."""

    def forward(self, x_NC: Tensor, scores_N1: Tensor) -> Tensor:
        """Return x, weighted; the other axes of the weights broadcast over those of x."""
        return x_NC * scores_N1


class WeightedSum(Gate):
    """Sum tensors of the same channels, each multiplied by a weight.

    To `core.pruning.liveness`, those who write a channel of the sum share it, even if no layer reads the sum.
    """

    def forward(self, xs_NC: Sequence[Tensor], weights_NK: Tensor) -> Tensor:  # type: ignore[override]
        """Return the sum, [N, C], of K tensors."""
        weighed = [x_NC * weight_N1 for x_NC, weight_N1 in zip(xs_NC, columns(weights_NK), strict=True)]
        total_NC = weighed[0]
        for each_NC in weighed[1:]:
            total_NC = total_NC + each_NC
        return total_NC


def columns(weights_NK: Tensor) -> list[Tensor]:
    """Return the weights of each of K tensors, [N, 1] each."""
    return [weight_N[:, None] for weight_N in weights_NK.unbind(dim=1)]


class ChannelGate(nn.Linear):
    """Scale each channel of x by ``1 + sigmoid`` of a linear function of hidden channels.

    A filter is needed as long as the channel that it scales. Compaction removes it with the channel, even if
    its weights are not zero.

    Args:
        num_hidden: H.
        num_channels: C.
    """

    def __init__(self, num_hidden: int, num_channels: int) -> None:
        super().__init__(num_hidden, num_channels)

    def forward(self, hidden_NH: Tensor, x_NC: Tensor) -> Tensor:  # type: ignore[override]
        """Return x, ``[N, C, ...]``, scaled."""
        scale_NC = 1 + torch.sigmoid(super().forward(hidden_NH))
        return x_NC * scale_NC[(..., *[None] * (x_NC.ndim - 2))]
