"""Residual blocks over space and time, and functions for the networks that stack them.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.recognizer import Convolution, Norm, PrunableFilters, Recognizer

Initialisation = Literal["fan-in", "fan-out"]
"""Variance of the convolutions' initial weights, which are normal. "fan-in" is 2 / (k_T k_H k_W C_read), He
et al. 2015. "fan-out" is 2 / (k_0 k_1 C_written), with the first two kernel sizes, as in the code of Glimpse
Clouds. The default differs from that code because fan-out makes filter norms incomparable between layers:
1x1x1 expansions have by far the smallest, so that global pruning by l2 norm removes nearly all of their
filters and the network collapses."""

Extent = tuple[int, int, int]
"""Size of a kernel or a stride in frames, rows and columns."""

_CHANNEL_STEP = 8


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions with a shortcut around them (ResNet-18 and -34)."""

    expansion: ClassVar[int] = 1

    def __init__(self, num_read: int, num_inner: int, stride: Extent) -> None:
        super().__init__()
        self.conv1 = _convolution(num_read, num_inner, (3, 3, 3), stride)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, (3, 3, 3))
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.downsample = _shortcut(num_read, num_inner, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to num_inner channels; the other axes are divided by the stride."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


class Bottleneck(nn.Module):
    """3x3x3 convolution between a 1x1x1 reduction and a 1x1x1 expansion (ResNet-50 and -101)."""

    expansion: ClassVar[int] = 4
    kernels: ClassVar[tuple[Extent, Extent, Extent]] = ((1, 1, 1), (3, 3, 3), (1, 1, 1))

    def __init__(self, num_read: int, num_inner: int, stride: Extent) -> None:
        super().__init__()
        num_written = num_inner * self.expansion
        reduction, middle, expansion = self.kernels
        self.conv1 = _convolution(num_read, num_inner, reduction)
        self.bn1 = nn.BatchNorm3d(num_inner)
        self.conv2 = _convolution(num_inner, num_inner, middle, stride)
        self.bn2 = nn.BatchNorm3d(num_inner)
        self.conv3 = _convolution(num_inner, num_written, expansion)
        self.bn3 = nn.BatchNorm3d(num_written)
        self.downsample = _shortcut(num_read, num_written, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to 4 * num_inner channels; the other axes are divided by the stride."""
        out = F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out.add_(self.downsample(x_BCTHW)), inplace=True)


class FrameBottleneck(Bottleneck):
    """Bottleneck that reads each frame separately."""

    kernels: ClassVar = ((1, 1, 1), (1, 3, 3), (1, 1, 1))


class FactoredBottleneck(Bottleneck):
    """Bottleneck with a 3x1x1 reduction over time, then a 1x3x3 convolution over space."""

    kernels: ClassVar = ((3, 1, 1), (1, 3, 3), (1, 1, 1))


def residual_stack(
    block: type[BasicBlock | Bottleneck], num_blocks: int, num_read: int, num_inner: int, stride: Extent
) -> nn.Sequential:
    """Return a stack of equally wide blocks; the first one strides."""
    first = block(num_read, num_inner, stride)
    others = [block(num_inner * block.expansion, num_inner, (1, 1, 1)) for _ in range(num_blocks - 1)]
    return nn.Sequential(first, *others)


def stack_filters(recognizer: Recognizer) -> list[PrunableFilters]:
    """Return the filters of all convolutions in modules named layer*, front to back, downsampling last."""
    return normed_filters(recognizer, lambda name: name.startswith("layer"))


def normed_filters(recognizer: Recognizer, is_prunable: Callable[[str], bool]) -> list[PrunableFilters]:
    """Return the filters of convolutions whose next module is their norm, in the order of the modules.

    Args:
        recognizer: network whose convolutions and norms alternate.
        is_prunable: returns whether pruning may remove filters of a convolution, by its name.
    """
    layers = [each for each in recognizer.named_modules() if isinstance(each[1], Convolution | Norm)]
    return [
        PrunableFilters(name, convolution, norm)
        for (name, convolution), (_, norm) in pairwise(layers)
        if isinstance(convolution, Convolution) and isinstance(norm, Norm) and is_prunable(name)
    ]


def start_convolutions(recognizer: Recognizer, initialisation: Initialisation) -> None:
    """Sample the initial weights of all convolutions, in the order of the modules."""
    for module in recognizer.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.normal_(module.weight, std=_deviation(module, initialisation))


def scaled_channels(num_channels: int, width: float) -> int:
    """Return channels times width, rounded to a multiple of 8 (which vector units favor), at least 8."""
    return max(_CHANNEL_STEP, _CHANNEL_STEP * round(num_channels * width / _CHANNEL_STEP))


def check_options(width: float, in_channels: int, initialisation: str = "fan-in") -> None:
    """Check options that all networks share.

    Raises:
        InputError: if an argument is out of range.
    """
    if not 0 < width < math.inf:
        raise InputError("width must be positive and finite", got=width, hint="write e.g. 0.25")
    if in_channels < 1:
        raise InputError("in_channels must be at least 1", got=in_channels)
    if initialisation not in get_args(Initialisation):
        raise InputError("initialisation must be fan-in or fan-out", got=repr(initialisation))


def _convolution(num_read: int, num_written: int, kernel: Extent, stride: Extent = (1, 1, 1)) -> nn.Conv3d:
    time, height, width = kernel
    padding = (time // 2, height // 2, width // 2)
    return nn.Conv3d(num_read, num_written, kernel, stride=stride, padding=padding, bias=False)


def _shortcut(num_read: int, num_written: int, stride: Extent) -> nn.Sequential:
    """Return a projection, or the identity if the shapes are equal (first stack of ResNet-18 and -34)."""
    if stride == (1, 1, 1) and num_read == num_written:
        return nn.Sequential()
    return nn.Sequential(_convolution(num_read, num_written, (1, 1, 1), stride), nn.BatchNorm3d(num_written))


def _deviation(convolution: nn.Conv3d, initialisation: Initialisation) -> float:
    if initialisation == "fan-in":
        return math.sqrt(2 / convolution.weight[0].numel())
    first, second, _ = convolution.kernel_size
    return math.sqrt(2 / (first * second * convolution.out_channels))
