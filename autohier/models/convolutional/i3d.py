"""I3D: Inception-v1 whose kernels and poolings span time (Carreira and Zisserman, CVPR 2017).

Every convolution and pooling pads like TensorFlow's "same": an axis of n is divided by the stride and rounded
up, and the last row or frame gets the odd zero. A stack ends before the blocks halve the pixels.

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

_LAST_MODULES: Final = ("conv2c", "mixed3c", "mixed4f", "mixed5c")
"""Last module of each stack."""


class I3d(Recognizer):
    """Network on frames, float [B, C, T, H, W]; stacks of 192, 480, 832 and 1024 channels at width 1.

    The norms' epsilon is that of the published networks; their momentum is torch's default, as in `S3D`.

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
        self.conv1a = NormedConvolution(in_channels, num_stem, (7, 7, 7), (2, 2, 2))
        self.pool2a = SamePool((1, 3, 3), (1, 2, 2))
        self.conv2b = NormedConvolution(num_stem, num_stem, (1, 1, 1))
        self.conv2c = NormedConvolution(num_stem, num_read, (3, 3, 3))
        written = {"conv2c": num_read}
        pools = {
            "3b": ("pool3a", SamePool((1, 3, 3), (1, 2, 2))),
            "4b": ("pool4a", SamePool((3, 3, 3), (2, 2, 2))),
            "5b": ("pool5a", SamePool((2, 2, 2), (2, 2, 2))),
        }
        for block in BLOCK_NAMES:
            if block in pools:
                self.add_module(*pools[block])
            filters = block_filters(block, width)
            branches = FourBranches(num_read, filters, point=_point, wide=_wide)
            self.add_module(f"mixed{block}", branches)
            num_read = written[f"mixed{block}"] = num_written(filters)
        self.stack_channels = tuple(written[name] for name in _LAST_MODULES)
        start_convolutions(self, "fan-in")

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: four features [B, C_l]."""
        return [pooled(x_BCTHW) for x_BCTHW in self.forward_maps(batch)]

    def forward_maps(self, batch: Tensor) -> list[Tensor]:
        """Return the output of each stack: four maps [B, C_l, T_l, H_l, W_l]."""
        x_BCTHW, maps = batch, []
        for name, module in self.named_children():
            x_BCTHW = module(x_BCTHW)
            if name in _LAST_MODULES:
                maps.append(x_BCTHW)
        return maps

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of all convolutions but the first, in the order of the modules."""
        return normed_filters(self, lambda name: name != "conv1a.conv")

    def data_tensors(self) -> frozenset[str]:
        """Return the name of the first convolution, which reads the channels of a frame."""
        return frozenset({"conv1a.conv.weight"})


class NormedConvolution(nn.Module):
    """Convolution, padded as "same", with a norm and an activation."""

    def __init__(self, num_read: int, num_written: int, kernel: Extent, stride: Extent = (1, 1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(num_read, num_written, kernel, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(num_written, eps=NORM_EPSILON)
        self._is_strided = max(stride) > 1
        if not self._is_strided:  # then both sides of an odd kernel get the same zeros
            self.conv.padding = tuple(size // 2 for size in kernel)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to the written channels; the other axes are divided by the stride."""
        if self._is_strided:
            x_BCTHW = F.pad(x_BCTHW, same_padding(x_BCTHW, self.conv.kernel_size, self.conv.stride))
        return F.relu(self.bn(self.conv(x_BCTHW)), inplace=True)


class SamePool(nn.Module):
    """Max pooling, padded as "same" with zeros; what it reads is not negative."""

    def __init__(self, kernel: Extent, stride: Extent) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to the same channels; the other axes are divided by the stride."""
        padded_BCTHW = F.pad(x_BCTHW, same_padding(x_BCTHW, self.kernel, self.stride))
        return F.max_pool3d(padded_BCTHW, self.kernel, self.stride)


def _point(num_read: int, num_written: int) -> NormedConvolution:
    return NormedConvolution(num_read, num_written, (1, 1, 1))


def _wide(num_read: int, num_written: int) -> NormedConvolution:
    return NormedConvolution(num_read, num_written, (3, 3, 3))


def same_padding(x_BCTHW: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
    """Return the zeros on both sides of each axis, in the order of `torch.nn.functional.pad`."""
    padding: list[int] = []
    for size, span, step in zip(x_BCTHW.shape[2:], kernel, stride, strict=True):
        missing = max(span - (size % step or step), 0)
        padding = [missing // 2, missing - missing // 2, *padding]
    return padding
