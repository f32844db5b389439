"""Inflated ResNet: a 2D ResNet whose 3x3 convolutions also look at the frame before and the frame after.

The backbone of HAC (after Glimpse Clouds, CVPR 2018): a 2D stem on each frame, then four stacks in which
3x3 kernels are 3x3x3 and 1x1 kernels stay 1x1x1. Time is never strided, so T frames stay T to the end.
Modules carry the names of the usual 2D ResNet (conv1, layer1.0.conv1, ...); see `inflation`.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.recognizer import PrunableFilters, Recognizer

Initialisation = Literal["fan-in", "fan-out"]

STEM_CHANNELS = 64
STACK_CHANNELS = (64, 128, 256, 512)
_CHANNEL_STEP = 8


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions around a shortcut (ResNet-18 and -34)."""

    expansion: ClassVar[int] = 1

    def __init__(self, num_read: int, num_inner: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(num_read, num_inner, 3, stride)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, 3)
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.downsample = _shortcut(num_read, num_inner, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """[B, C, T, H, W] to [B, num_inner, T, H / stride, W / stride]."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


class Bottleneck(nn.Module):
    """A 3x3x3 convolution between a narrowing and a widening 1x1x1 (ResNet-50 and -101)."""

    expansion: ClassVar[int] = 4

    def __init__(self, num_read: int, num_inner: int, stride: int) -> None:
        super().__init__()
        num_written = num_inner * self.expansion
        self.conv1 = _convolution(num_read, num_inner, 1)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, 3, stride)
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.conv3 = _convolution(num_inner, num_written, 1)
        self.bn3 = nn.BatchNorm3d(num_written)
        self.downsample = _shortcut(num_read, num_written, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """[B, C, T, H, W] to [B, 4 * num_inner, T, H / stride, W / stride]."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


DEPTHS: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}
"""Block and blocks per stack, by the number of weighted layers that names the network."""


class InflatedResNet(Recognizer):
    """Clips float [B, C, T, H, W] to four features; at width 1 and depth 50 of 256, 512, 1024, 2048 channels.

    Args:
        depth: 18, 34, 50 or 101.
        width: multiplies every channel count; see `scaled_channels`.
        in_channels: C.
        initialisation: variance of the convolutions' normal start. "fan-in" is 2 / (k_T k_H k_W C_read), He
            et al. 2015. "fan-out" is the 2 / (k_0 k_1 C_written) of Glimpse Clouds' code, k_0 and k_1 the
            first two kernel sizes. Fan-in is the default, against that code, because fan-out makes norms of
            filters incomparable: 1x1x1 expansions have by far the smallest, and a pass over all layers by raw
            l2 norm empties them and collapses the network.

    Raises:
        InputError: where an argument is out of range.
    """

    modality = "frames"

    def __init__(
        self,
        depth: int,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        initialisation: Initialisation = "fan-in",
    ) -> None:
        super().__init__()
        _check(depth, width, in_channels, initialisation)
        block, num_blocks = DEPTHS[depth]
        num_stem = scaled_channels(STEM_CHANNELS, width)
        num_inner = [scaled_channels(channels, width) for channels in STACK_CHANNELS]
        self.stack_channels = tuple(block.expansion * channels for channels in num_inner)
        self.conv1 = nn.Conv3d(
            in_channels, num_stem, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False
        )
        self.bn1 = nn.BatchNorm3d(num_stem)
        self.maxpool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        read = (num_stem, *self.stack_channels)
        self.layer1 = _stack(block, num_blocks[0], read[0], num_inner[0], stride=1)
        self.layer2 = _stack(block, num_blocks[1], read[1], num_inner[1], stride=2)
        self.layer3 = _stack(block, num_blocks[2], read[2], num_inner[2], stride=2)
        self.layer4 = _stack(block, num_blocks[3], read[3], num_inner[3], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.normal_(module.weight, std=_deviation(module, initialisation))

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """The mean over time and pixels of what each stack puts out: four features [B, C_l]."""
        x_BCTHW = self.maxpool(F.relu(self.bn1(self.conv1(batch)), inplace=True))
        features = []
        for stack in (self.layer1, self.layer2, self.layer3, self.layer4):
            x_BCTHW = stack(x_BCTHW)
            features.append(x_BCTHW.mean(dim=(2, 3, 4)))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """All convolutions of the stacks, front to back, a block's downsampling after its others."""
        layers = [
            (name, module)
            for name, module in self.named_modules()
            if name.startswith("layer") and isinstance(module, nn.Conv3d | nn.BatchNorm3d)
        ]
        return [
            PrunableFilters(name, convolution, norm)
            for (name, convolution), (_, norm) in pairwise(layers)
            if isinstance(convolution, nn.Conv3d) and isinstance(norm, nn.BatchNorm3d)
        ]


def scaled_channels(num_channels: int, width: float) -> int:
    """Channels times width to the nearest multiple of 8, which vector units like, and at least 8."""
    return max(_CHANNEL_STEP, _CHANNEL_STEP * round(num_channels * width / _CHANNEL_STEP))


def _check(depth: int, width: float, in_channels: int, initialisation: str) -> None:
    if depth not in DEPTHS:
        raise InputError(f"depth must be one of {', '.join(map(str, DEPTHS))}", got=depth)
    if not 0 < width < math.inf:
        raise InputError("width must be positive and finite", got=width, remedy="write e.g. 0.25")
    if in_channels < 1:
        raise InputError("in_channels must be at least 1", got=in_channels)
    if initialisation not in get_args(Initialisation):
        raise InputError("initialisation must be fan-in or fan-out", got=repr(initialisation))


def _stack(
    block: type[BasicBlock | Bottleneck], num_blocks: int, num_read: int, num_inner: int, stride: int
) -> nn.Sequential:
    first = block(num_read, num_inner, stride)
    others = [block(num_inner * block.expansion, num_inner, 1) for _ in range(num_blocks - 1)]
    return nn.Sequential(first, *others)


def _convolution(num_read: int, num_written: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(
        num_read, num_written, kernel, stride=(1, stride, stride), padding=kernel // 2, bias=False
    )


def _shortcut(num_read: int, num_written: int, stride: int) -> nn.Sequential:
    """The identity where shapes allow it. ResNet-18's and -34's first stack has no projection, as in 2D."""
    if stride == 1 and num_read == num_written:
        return nn.Sequential()
    return nn.Sequential(_convolution(num_read, num_written, 1, stride), nn.BatchNorm3d(num_written))


def _deviation(convolution: nn.Conv3d, initialisation: Initialisation) -> float:
    if initialisation == "fan-in":
        return math.sqrt(2 / convolution.weight[0].numel())
    first, second, _ = convolution.kernel_size
    return math.sqrt(2 / (first * second * convolution.out_channels))
