"""Units of the blocks of graph networks: over joints, over time, and shortcuts.

The convolutions have a bias although a norm follows that cancels it, as in the authors' code, so that the
number of parameters is the published one and trained weights fit. All units keep channels_last memory.

Legend: N clips times persons, C channels, T frames, V joints gathered from, W joints gathered to,
P partitions of a joint's neighbors.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.graphs.convolution import GraphConvolution
from autohier.models.recognizer import PrunableFilters

_NUM_FRAMES_SEEN = 9
_NUM_VECTORED = 16
"""Largest number of channels in a vector of oneDNN."""


class Unit(nn.Module, ABC):
    """Part of a block that contains convolutions."""

    @abstractmethod
    def filters(self) -> list[PrunableFilters]:
        """Return the filters of its convolutions, named within the unit, in the order data passes them."""


class PointwiseConvolution(nn.Conv2d):
    """1x1 convolution of every ``stride``-th frame.

    With few input channels, the frames are selected before the convolution. oneDNN computes the gradient of a
    strided 1x1 kernel on channels_last activations in a workspace that is too small for less than a vector of
    channels; it then crashes or overwrites other memory (github.com/uxlfoundation/oneDNN/issues/6035). The
    output is the same to the bit. With more channels, the copy would take up to twice the time.
    """

    def __init__(self, num_read: int, num_written: int, stride: int) -> None:
        super().__init__(num_read, num_written, 1, stride=(stride, 1))

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T / stride, V]."""
        if self.weight.shape[1] >= _NUM_VECTORED or self.stride[0] == 1:
            return super().forward(x_NCTV)
        selected = x_NCTV[:, :, :: self.stride[0]].contiguous(memory_format=torch.channels_last)
        return F.conv2d(selected, self.weight, self.bias)

    def output_shape(self, x_NCTV: Tensor) -> tuple[int, ...]:
        """Return the shape of what `forward` returns; see `core.pruning.output_shapes`."""
        num_clips, _, num_frames, num_joints = x_NCTV.shape
        return num_clips, self.out_channels, -(-num_frames // self.stride[0]), num_joints


class Projection(Unit):
    """Shortcut for a change of channels or frames."""

    def __init__(self, num_read: int, num_written: int, stride: int) -> None:
        super().__init__()
        self.conv = PointwiseConvolution(num_read, num_written, stride)
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T / stride, V]."""
        out: Tensor = self.bn(self.conv(x_NCTV))
        return out

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the projection."""
        return [PrunableFilters("conv", self.conv, self.bn)]


def start_fan_out(convolution: nn.Conv2d, num_written: int) -> None:
    """Sample weights with the variance 2 / (filters times kernel size); set biases to zero (He et al. 2015).

    Args:
        convolution: changed in place.
        num_written: filters of one convolution of the published network, if this one holds several.
    """
    kernel_size = convolution.weight[0, 0].numel()
    nn.init.normal_(convolution.weight, std=math.sqrt(2 / (num_written * kernel_size)))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def shortcut(num_read: int, num_written: int, stride: int) -> nn.Module:
    """Return a projection, or the identity if the shapes are equal."""
    if stride == 1 and num_read == num_written:
        return nn.Identity()
    return Projection(num_read, num_written, stride)


class SpatialUnit(Unit):
    """Graph convolution of ST-GCN: fixed partitions with learned edge importance."""

    partitions: Tensor

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        self.register_buffer("partitions", partitions_PVW.clone())
        self.importance = nn.Parameter(torch.ones_like(partitions_PVW))
        self.conv = GraphConvolution(num_read, num_written, *partitions_PVW.shape[:2])
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T, V]."""
        out = self.bn(self.conv(x_NCTV, self.partitions * self.importance))
        return F.relu(out, inplace=True)

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the graph convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class AdaptiveSpatialUnit(Unit):
    """Graph convolution of ST-GCN++: learned partitions and a shortcut."""

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        self.partitions = nn.Parameter(partitions_PVW.clone())
        self.conv = GraphConvolution(num_read, num_written, *partitions_PVW.shape[:2])
        self.bn = nn.BatchNorm2d(num_written)
        self.shortcut = shortcut(num_read, num_written, stride=1)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T, V]."""
        out = self.bn(self.conv(x_NCTV, self.partitions)).add_(self.shortcut(x_NCTV))
        return F.relu(out, inplace=True)

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the graph convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class TemporalUnit(Unit):
    """Convolution of ST-GCN and AAGCN over nine frames of a joint."""

    def __init__(self, num_channels: int, stride: int) -> None:
        super().__init__()
        kernel, padding = (_NUM_FRAMES_SEEN, 1), (_NUM_FRAMES_SEEN // 2, 0)
        self.conv = nn.Conv2d(num_channels, num_channels, kernel, stride=(stride, 1), padding=padding)
        self.bn = nn.BatchNorm2d(num_channels)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.bn(self.conv(x_NCTV))
        return out

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]
