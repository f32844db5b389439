"""Cost of a network: parameters and multiply-adds, as if its dead channels were removed.

Legend: C channels read, F filters or channels written, G groups of a convolution.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autohier.core.pruning.liveness import LayerUse, Norm, trace_liveness
from autohier.data.inputs.shapes import ClipShape
from autohier.models.graphs.convolution import GatheringConvolution


@dataclass(frozen=True, slots=True)
class Cost:
    """Size of a network, and its computation for one clip."""

    parameters: int
    """Weights, biases and batch norm affines."""
    multiply_adds: int
    """Multiply-adds of convolutions, linear layers and matrix products; batch norm, pooling, activations and
    products element by element are not counted."""


def measure_cost(network: nn.Module, input_shape: ClipShape, *, multiple: int = 0) -> Cost:
    """Count parameters and multiply-adds of a network as if its dead channels were removed.

    A filter is dead if its weights and bias are zero, and also gamma and beta of the batch norm after it, if
    there is one. A dead channel is neither written nor read. All writers of a residual stream share its
    width: a channel of the stream is dead only if every writer's filter is dead. Outputs of linear layers
    never count as dead.

    The network is not changed. No convolution is computed; memory holds the activations of one clip twice.

    Args:
        network: takes a batch of clips, e.g. ``[B, *input_shape]``.
        input_shape: shape of one clip, without the batch axis; by name if the network reads named inputs.
        multiple: see `compact`; counts the copy that it would make. 0 counts no dead channel at all.

    Raises:
        InputError: if the network has a layer or an operation that cannot be counted, e.g. an LSTM.
    """
    trace = trace_liveness(network, input_shape, multiple=multiple)
    multiply_adds = sum(_multiply_adds(use) for use in trace.uses if not isinstance(use.layer, Norm))
    multiply_adds += trace.products

    uses_by_layer: dict[nn.Module, list[LayerUse]] = defaultdict(list)
    for use in trace.uses:
        uses_by_layer[use.layer].append(use)
    num_left: dict[Tensor, int] = {}
    for layer_uses in uses_by_layer.values():
        num_left |= _parameters_left(layer_uses)
    parameters = sum(num_left.get(each, each.numel()) for each in network.parameters())
    return Cost(parameters, multiply_adds)


def _multiply_adds(use: LayerUse) -> int:
    multiply_adds = use.num_positions * _num_weights(use)
    if isinstance(use.layer, GatheringConvolution):
        multiply_adds += use.layer.gathering_multiply_adds(
            int(use.read_C.sum()),
            int(use.kept_F.sum()),
            num_clips=use.num_rows,
            num_positions=use.num_positions,
        )
    return multiply_adds


def _parameters_left(uses: list[LayerUse]) -> dict[Tensor, int]:
    """Return the number of elements of each parameter of a layer that any of its uses needs."""
    layer = uses[0].layer
    read_C = torch.stack([use.read_C for use in uses]).any(dim=0)
    kept_F = torch.stack([use.kept_F for use in uses]).any(dim=0)
    num_left: dict[Tensor, int] = {each: int(kept_F.sum()) * each[0].numel() for each in layer.parameters()}
    if not isinstance(layer, Norm):
        num_left[layer.weight] = _num_weights(LayerUse(layer, read_C, kept_F, num_positions=0))
    return num_left


def _num_weights(use: LayerUse) -> int:
    """Return the number of weights between the remaining channels, group by group."""
    num_groups = getattr(use.layer, "groups", 1)
    read_G = use.read_C.view(num_groups, -1).sum(dim=1)
    kept_G = use.kept_F.view(num_groups, -1).sum(dim=1)
    return int((read_G * kept_G).sum()) * math.prod(use.layer.weight.shape[2:])
