"""Video ResNets with 18 layers: R3D, MC3 and R(2+1)D (Tran et al., CVPR 2018).

R3D has 3x3x3 kernels. MC3 has them in the first stack only, and 1x3x3 kernels in the others. R(2+1)D factors
a kernel into 1x3x3 over space and 3x1x1 over time, with as many filters in between as keep the number of
parameters (section 3.5). Time is strided with space, except in MC3, which keeps all frames.

Modules have the names of torchvision's networks (stem.0, layer1.0.conv1.0, ...), so that their weights on
Kinetics fit.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.convolutional.pathway import pooled
from autohier.models.convolutional.residual import (
    Extent,
    check_options,
    scaled_channels,
    stack_filters,
    start_convolutions,
)
from autohier.models.recognizer import PrunableFilters, Recognizer

Variant = Literal["r3d", "mc3", "r2plus1d"]
Kernel = Literal["3x3x3", "1x3x3", "factored"]

_STACK_CHANNELS: Final = (64, 128, 256, 512)
_NUM_BLOCKS: Final = 2
_STEM_INNER_CHANNELS: Final = 45
"""Filters between the two convolutions of R(2+1)D's stem."""
_KERNELS: Final[dict[Variant, tuple[Kernel, Kernel, Kernel, Kernel]]] = {
    "r3d": ("3x3x3", "3x3x3", "3x3x3", "3x3x3"),
    "mc3": ("3x3x3", "1x3x3", "1x3x3", "1x3x3"),
    "r2plus1d": ("factored", "factored", "factored", "factored"),
}
"""Kernel of each stack."""


class VideoBlock(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, kernel: Kernel, num_read: int, num_written: int, stride: int) -> None:
        super().__init__()
        # As in torchvision, both convolutions of a block have the inner filters of the first.
        num_inner = _num_inner(num_read, num_written)
        self.conv1 = nn.Sequential(
            _convolution(kernel, num_read, num_inner, num_written, stride),
            nn.BatchNorm3d(num_written),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(
            _convolution(kernel, num_written, num_inner, num_written, 1), nn.BatchNorm3d(num_written)
        )
        self.downsample = nn.Sequential()
        if stride > 1 or num_read != num_written:
            strides = (1 if kernel == "1x3x3" else stride, stride, stride)
            self.downsample = nn.Sequential(
                nn.Conv3d(num_read, num_written, 1, stride=strides, bias=False), nn.BatchNorm3d(num_written)
            )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to num_written channels; the other axes are divided by the stride."""
        out = self.conv2(self.conv1(x_BCTHW))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


class VideoResNet(Recognizer):
    """Network on frames, float [B, C, T, H, W]; stacks of 64, 128, 256 and 512 channels at width 1.

    Weights are initialized as in the other recognizers; torchvision's default is He's "fan-out".

    Args:
        variant: "r3d", "mc3" or "r2plus1d".
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(self, variant: Variant, *, width: float = 1.0, in_channels: int = 3) -> None:
        super().__init__()
        check_options(width, in_channels)
        self.stack_channels = tuple(scaled_channels(channels, width) for channels in _STACK_CHANNELS)
        num_stem, num_stem_inner = self.stack_channels[0], max(1, round(_STEM_INNER_CHANNELS * width))
        self.stem = (
            nn.Sequential(
                *_normed(in_channels, num_stem_inner, (1, 7, 7), (1, 2, 2)),
                *_normed(num_stem_inner, num_stem, (3, 1, 1), (1, 1, 1)),
            )
            if variant == "r2plus1d"
            else nn.Sequential(*_normed(in_channels, num_stem, (3, 7, 7), (1, 2, 2)))
        )
        read = (num_stem, *self.stack_channels)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(
                VideoBlock(kernel, read[index], read[index + 1], 2 if index else 1),
                *(VideoBlock(kernel, read[index + 1], read[index + 1], 1) for _ in range(_NUM_BLOCKS - 1)),
            )
            for index, kernel in enumerate(_KERNELS[variant])
        )
        start_convolutions(self, "fan-in")

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: four features [B, C_l]."""
        x_BCTHW, features = self.stem(batch), []
        for stack in (self.layer1, self.layer2, self.layer3, self.layer4):
            x_BCTHW = stack(x_BCTHW)
            features.append(pooled(x_BCTHW))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks' convolutions, front to back; a block's downsampling is last."""
        return stack_filters(self)

    def data_tensors(self) -> frozenset[str]:
        """Return the name of the stem's first convolution, which reads the channels of a frame."""
        return frozenset({"stem.0.weight"})


r3d_18, mc3_18, r2plus1d_18 = (partial(VideoResNet, variant) for variant in _KERNELS)


def _normed(num_read: int, num_written: int, kernel: Extent, stride: Extent) -> tuple[nn.Module, ...]:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    convolution = nn.Conv3d(num_read, num_written, kernel, stride=stride, padding=padding, bias=False)
    return convolution, nn.BatchNorm3d(num_written), nn.ReLU(inplace=True)


def _convolution(kernel: Kernel, num_read: int, num_inner: int, num_written: int, stride: int) -> nn.Module:
    if kernel == "3x3x3":
        return nn.Conv3d(num_read, num_written, 3, stride=stride, padding=1, bias=False)
    space: Extent = (1, stride, stride)
    if kernel == "1x3x3":
        return nn.Conv3d(num_read, num_written, (1, 3, 3), stride=space, padding=(0, 1, 1), bias=False)
    return nn.Sequential(
        *_normed(num_read, num_inner, (1, 3, 3), space),
        nn.Conv3d(num_inner, num_written, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False),
    )


def _num_inner(num_read: int, num_written: int) -> int:
    """Return the filters with which a factored kernel has the parameters of a 3x3x3 kernel, rounded down."""
    return (27 * num_read * num_written) // (9 * num_read + 3 * num_written)
