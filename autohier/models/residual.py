"""Residual blocks in space and time, and what networks that stack them share.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.recognizer import Convolution, Norm, PrunableFilters, Recognizer

Initialisation = Literal["fan-in", "fan-out"]
"""Variance of the convolutions' normal start. "fan-in" is 2 / (k_T k_H k_W C_read), He et al. 2015. "fan-out"
is the 2 / (k_0 k_1 C_written) of Glimpse Clouds' code, k_0 and k_1 the first two kernel sizes. Fan-in is the
default, against that code, because fan-out makes norms of filters incomparable: 1x1x1 expansions have by far
the smallest, and a pass over all layers by raw l2 norm empties them and collapses the network."""

Extent = tuple[int, int, int]
"""Of a kernel or a step in frames, rows and columns."""

_CHANNEL_STEP = 8


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions around a shortcut (ResNet-18 and -34)."""

    expansion: ClassVar[int] = 1

    def __init__(self, num_read: int, num_inner: int, stride: Extent) -> None:
        super().__init__()
        self.conv1 = _convolution(num_read, num_inner, (3, 3, 3), stride)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, (3, 3, 3))
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.downsample = _shortcut(num_read, num_inner, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """[B, C, T, H, W] to num_inner channels, the other axes divided by the stride."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


class Bottleneck(nn.Module):
    """A 3x3x3 convolution between a narrowing and a widening 1x1x1 (ResNet-50 and -101)."""

    expansion: ClassVar[int] = 4
    kernels: ClassVar[tuple[Extent, Extent, Extent]] = ((1, 1, 1), (3, 3, 3), (1, 1, 1))

    def __init__(self, num_read: int, num_inner: int, stride: Extent) -> None:
        super().__init__()
        num_written = num_inner * self.expansion
        narrowing, middle, widening = self.kernels
        self.conv1 = _convolution(num_read, num_inner, narrowing)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, middle, stride)
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.conv3 = _convolution(num_inner, num_written, widening)
        self.bn3 = nn.BatchNorm3d(num_written)
        self.downsample = _shortcut(num_read, num_written, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """[B, C, T, H, W] to 4 * num_inner channels, the other axes divided by the stride."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


def residual_stack(
    block: type[BasicBlock | Bottleneck], num_blocks: int, num_read: int, num_inner: int, stride: Extent
) -> nn.Sequential:
    """Blocks of one width, the first of which strides."""
    first = block(num_read, num_inner, stride)
    others = [block(num_inner * block.expansion, num_inner, (1, 1, 1)) for _ in range(num_blocks - 1)]
    return nn.Sequential(first, *others)


def pooled_features(x_BCTHW: Tensor, stacks: Iterable[nn.Module]) -> list[Tensor]:
    """The mean over time and pixels of what each stack puts out, one after the other: [B, C_l] each."""
    features = []
    for stack in stacks:
        x_BCTHW = stack(x_BCTHW)
        features.append(x_BCTHW.mean(dim=(2, 3, 4)))
    return features


def stack_filters(recognizer: Recognizer) -> list[PrunableFilters]:
    """All convolutions of stacks named layer*, front to back, a block's downsampling after its others."""
    layers = [(name, module) for name, module in recognizer.named_modules() if name.startswith("layer")]
    layers = [each for each in layers if isinstance(each[1], Convolution | Norm)]
    return [
        PrunableFilters(name, convolution, norm)
        for (name, convolution), (_, norm) in pairwise(layers)
        if isinstance(convolution, Convolution) and isinstance(norm, Norm)
    ]


def start_convolutions(recognizer: Recognizer, initialisation: Initialisation) -> None:
    """Draw the weights of all convolutions, in the order of the modules."""
    for module in recognizer.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.normal_(module.weight, std=_deviation(module, initialisation))


def scaled_channels(num_channels: int, width: float) -> int:
    """Channels times width to the nearest multiple of 8, which vector units like, and at least 8."""
    return max(_CHANNEL_STEP, _CHANNEL_STEP * round(num_channels * width / _CHANNEL_STEP))


def check_options(width: float, in_channels: int, initialisation: str = "fan-in") -> None:
    """Refuse what no network can be built with.

    Raises:
        InputError: where an argument is out of range.
    """
    if not 0 < width < math.inf:
        raise InputError("width must be positive and finite", got=width, remedy="write e.g. 0.25")
    if in_channels < 1:
        raise InputError("in_channels must be at least 1", got=in_channels)
    if initialisation not in get_args(Initialisation):
        raise InputError("initialisation must be fan-in or fan-out", got=repr(initialisation))


def _convolution(num_read: int, num_written: int, kernel: Extent, stride: Extent = (1, 1, 1)) -> nn.Conv3d:
    time, height, width = kernel
    padding = (time // 2, height // 2, width // 2)
    return nn.Conv3d(num_read, num_written, kernel, stride=stride, padding=padding, bias=False)


def _shortcut(num_read: int, num_written: int, stride: Extent) -> nn.Sequential:
    """The identity where shapes allow it. ResNet-18's and -34's first stack has no projection, as in 2D."""
    if stride == (1, 1, 1) and num_read == num_written:
        return nn.Sequential()
    return nn.Sequential(_convolution(num_read, num_written, (1, 1, 1), stride), nn.BatchNorm3d(num_written))


def _deviation(convolution: nn.Conv3d, initialisation: Initialisation) -> float:
    if initialisation == "fan-in":
        return math.sqrt(2 / convolution.weight[0].numel())
    first, second, _ = convolution.kernel_size
    return math.sqrt(2 / (first * second * convolution.out_channels))
