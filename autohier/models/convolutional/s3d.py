"""S3D: Inception-v1 whose kernels are separated into space and time (Xie et al., ECCV 2018).

Modules have the names of torchvision's S3D (features.0.0.0, features.5.branch1.0.0, ...), so that its weights
on Kinetics fit. A stack ends before the blocks halve the pixels.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from typing import Final

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.convolutional.inception import (
    BLOCK_NAMES,
    NORM_EPSILON,
    FourBranches,
    block_filters,
    num_written,
)
from autohier.models.convolutional.pathway import pooled
from autohier.models.convolutional.residual import (
    Extent,
    check_options,
    normed_filters,
    scaled_channels,
    start_convolutions,
)
from autohier.models.recognizer import PrunableFilters, Recognizer

_STACK_ENDS: Final = (3, 6, 12, 15)
"""Indices in ``features`` of the last module of each stack: the stem, and blocks 3, 4 and 5 of Inception."""
_STEM: Final = "features.0."
_BLOCKS: Final = dict(zip((5, 6, 8, 9, 10, 11, 12, 14, 15), BLOCK_NAMES, strict=True))
"""Inception's name of a block by its index in ``features``."""


class HalvingPool(nn.Module):
    """Max pooling over pairs of frames, rows and columns; an axis of length 1 stays.

    Longer axes are halved and rounded down, as in torchvision, which refuses clips of fewer than 14 frames.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to [B, C, T / 2, H / 2, W / 2]."""
        frames, height, width = (min(2, size) for size in x_BCTHW.shape[2:])
        return F.max_pool3d(x_BCTHW, (frames, height, width))


class S3D(Recognizer):
    """Network on frames, float [B, C, T, H, W]; stacks of 192, 480, 832 and 1024 channels at width 1.

    The norms' epsilon is torchvision's. Their momentum is torch's default, 0.1: with torchvision's 0.001,
    running statistics need thousands of steps.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(self, *, width: float = 1.0, in_channels: int = 3) -> None:
        super().__init__()
        check_options(width, in_channels)
        num_stem, num_read = (scaled_channels(channels, width) for channels in (64, 192))
        modules: list[nn.Module] = [
            _separated(in_channels, num_stem, 7, stride=2),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            _normed(num_stem, num_stem, (1, 1, 1)),
            _separated(num_stem, num_read, 3),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
        ]
        written = {_STACK_ENDS[0]: num_read}
        for index in range(len(modules), _STACK_ENDS[-1] + 1):
            if index not in _BLOCKS:
                is_first = len(written) == len(_STACK_ENDS) - 2
                modules.append(nn.MaxPool3d(3, stride=2, padding=1) if is_first else HalvingPool())
                continue
            filters = block_filters(_BLOCKS[index], width)
            modules.append(FourBranches(num_read, filters, point=_point, wide=_wide))
            num_read = num_written(filters)
            if index in _STACK_ENDS:
                written[index] = num_read
        self.features = nn.Sequential(*modules)
        self.stack_channels = tuple(written.values())
        start_convolutions(self, "fan-in")

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: four features [B, C_l]."""
        x_BCTHW, features = batch, []
        for index, module in enumerate(self.features):
            x_BCTHW = module(x_BCTHW)
            if index in _STACK_ENDS:
                features.append(pooled(x_BCTHW))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of all convolutions but the first two, in the order of the modules."""
        return normed_filters(self, lambda name: not name.startswith(_STEM))

    def data_tensors(self) -> frozenset[str]:
        """Return the name of the first convolution, which reads the channels of a frame."""
        return frozenset({"features.0.0.0.weight"})


def _point(num_read: int, num_written: int) -> nn.Sequential:
    return _normed(num_read, num_written, (1, 1, 1))


def _wide(num_read: int, num_written: int) -> nn.Sequential:
    return _separated(num_read, num_written, 3)


def _normed(num_read: int, num_written: int, kernel: Extent, stride: Extent = (1, 1, 1)) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Sequential(
        nn.Conv3d(num_read, num_written, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm3d(num_written, eps=NORM_EPSILON),
        nn.ReLU(inplace=True),
    )


def _separated(num_read: int, num_written: int, size: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution over space, then one over time."""
    return nn.Sequential(
        _normed(num_read, num_written, (1, size, size), (1, stride, stride)),
        _normed(num_written, num_written, (size, 1, 1), (stride, 1, 1)),
    )
