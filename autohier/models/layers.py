"""Layers with filters: the kinds that pruning, cost and compaction know, and how their weights hold filters.

Legend: C channels read, F filters or channels written, G groups of a convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

TransposedConvolution = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d | TransposedConvolution
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def filter_rows(layer: Convolution | nn.Linear) -> Tensor:
    """Return the weights of a layer with one row per filter, ``[F, C / G, ...]``.

    A transposed convolution holds ``[C, F / G, ...]``. The result is a view of it if there is one group.
    """
    if not isinstance(layer, TransposedConvolution):
        return layer.weight
    return _turned(layer.weight, layer.groups)


def weight_of_rows(layer: Convolution | nn.Linear, rows_FC: Tensor, num_groups: int) -> Tensor:
    """Return the rows of filters ``[F, C / G, ...]`` in the order of a layer's weight."""
    if not isinstance(layer, TransposedConvolution):
        return rows_FC
    return _turned(rows_FC, num_groups)


def _turned(weight: Tensor, num_groups: int) -> Tensor:
    """Exchange the two channel axes within each group."""
    if num_groups == 1:
        return weight.transpose(0, 1)
    grouped = weight.view(num_groups, -1, *weight.shape[1:])
    return grouped.transpose(1, 2).flatten(0, 1)
