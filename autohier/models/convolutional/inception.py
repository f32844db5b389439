"""Blocks of Inception-v1: their filters and branches, which networks over space and time keep.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from autohier.models.convolutional.residual import scaled_channels

Layer = Callable[[int, int], nn.Module]

NORM_EPSILON: Final = 1e-3
"""Epsilon of the norms of the published networks."""

_FILTERS: Final[Mapping[str, tuple[int, ...]]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}

BLOCK_NAMES: Final = tuple(_FILTERS)
"""Names of the blocks, front to back; the digit is that of the resolution."""


def block_filters(name: str, width: float) -> tuple[int, ...]:
    """Return the filters of a block: of branch 0; of the reduction and the kernel of branches 1 and 2; of 3.

    Args:
        name: one of `BLOCK_NAMES`.
        width: factor of every channel count; see `scaled_channels`.
    """
    return tuple(scaled_channels(channels, width) for channels in _FILTERS[name])


def num_written(filters: tuple[int, ...]) -> int:
    """Return the channels of a block whose branches are concatenated."""
    branch_0, _, branch_1, _, branch_2, branch_3 = filters
    return branch_0 + branch_1 + branch_2 + branch_3


class FourBranches(nn.Module):
    """Block that concatenates the channels of four branches: 1x1x1, two wide ones, and a pooling.

    Args:
        num_read: channels that the block reads.
        filters: see `block_filters`.
        point: builds a normed 1x1x1 convolution from the channels that it reads and writes.
        wide: builds the part of a branch that reads several pixels and frames, from the same.
    """

    def __init__(self, num_read: int, filters: tuple[int, ...], *, point: Layer, wide: Layer) -> None:
        super().__init__()
        zero, reduced_1, one, reduced_2, two, three = filters
        self.branch0 = point(num_read, zero)
        self.branch1 = nn.Sequential(point(num_read, reduced_1), wide(reduced_1, one))
        self.branch2 = nn.Sequential(point(num_read, reduced_2), wide(reduced_2, two))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), point(num_read, three))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to the channels of all branches."""
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([branch(x_BCTHW) for branch in branches], dim=1)
