"""PoseConv3D: a shallow, slender SlowOnly network on pseudo heatmaps of joints or limbs (CVPR 2022).

Heatmaps are small and hold places alone, so against SlowOnly-50 there is no first stack, half of the width,
a stem that keeps every pixel, and no pooling behind it. The first stack sees each frame alone; the others
first look at the frames before and after with 3x1x1, then around with 1x3x3, and the last halves time.

Legend: B clips, V maps, T frames, H W pixels of a map, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.recognizer import PrunableFilters, Recognizer
from autohier.models.residual import (
    Bottleneck,
    Extent,
    Initialisation,
    check_options,
    pooled_features,
    residual_stack,
    scaled_channels,
    stack_filters,
    start_convolutions,
)


class FrameBottleneck(Bottleneck):
    """A bottleneck that sees each frame alone."""

    kernels: ClassVar = ((1, 1, 1), (1, 3, 3), (1, 1, 1))


class FactoredBottleneck(Bottleneck):
    """A bottleneck that looks along time as it narrows, and then around."""

    kernels: ClassVar = ((3, 1, 1), (1, 3, 3), (1, 1, 1))


BASE_CHANNELS: Final = 32
NUM_BLOCKS: Final = (4, 6, 3)
SMALL_BASE_CHANNELS: Final = 16
"""Of pose-slowonly-small: half of all channels, a quarter of the parameters, a third of the multiply-adds."""
SHALLOW_NUM_BLOCKS: Final = (2, 3, 2)
"""Of pose-slowonly-shallow: half of every stack's blocks, as the paper makes X3D shallow, but rounded up, so
that the last stack keeps a block that does not stride; two thirds of parameters and multiply-adds."""

_STRIDES: Final[tuple[Extent, Extent, Extent]] = ((1, 2, 2), (1, 2, 2), (2, 2, 2))


class PoseSlowOnly(Recognizer):
    """Heatmaps float [B, V, T, H, W] to three features; at width 1 of 128, 256 and 512 channels.

    Weights start as in the other recognizers: not at zero in the last norm of a block, as in the authors'
    code, where most convolutions then have no gradient at first. The paper's dropout before the classes is
    left out, as the heads are the same for all recognizers.

    Args:
        width: multiplies every channel count; see `scaled_channels`.
        in_channels: V, one map for every joint or limb.
        initialisation: of the convolutions; see `Initialisation`.
        base_channels: what the stem writes at width 1; the stacks' inner channels are one, two and four
            times as many.
        num_blocks: of the three stacks.

    Raises:
        InputError: where an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        in_channels: int = 17,
        initialisation: Initialisation = "fan-in",
        base_channels: int = BASE_CHANNELS,
        num_blocks: Sequence[int] = NUM_BLOCKS,
    ) -> None:
        super().__init__()
        check_options(width, in_channels, initialisation)
        if base_channels < 1:
            raise InputError("base_channels must be at least 1", got=base_channels)
        if len(num_blocks) != len(_STRIDES) or min(num_blocks) < 1:
            raise InputError(
                "num_blocks must be three counts of at least 1",
                got=tuple(num_blocks),
                remedy="write e.g. (4, 6, 3)",
            )
        num_stem, *num_inner = (scaled_channels(base_channels * times, width) for times in (1, 1, 2, 4))
        self.stack_channels = tuple(Bottleneck.expansion * channels for channels in num_inner)
        self.conv1 = nn.Conv3d(in_channels, num_stem, (1, 7, 7), padding=(0, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(num_stem)
        read = (num_stem, *self.stack_channels)
        self.layer1 = residual_stack(FrameBottleneck, num_blocks[0], read[0], num_inner[0], _STRIDES[0])
        self.layer2 = residual_stack(FactoredBottleneck, num_blocks[1], read[1], num_inner[1], _STRIDES[1])
        self.layer3 = residual_stack(FactoredBottleneck, num_blocks[2], read[2], num_inner[2], _STRIDES[2])
        start_convolutions(self, initialisation)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """The mean over time and pixels of what each stack puts out: three features [B, C_l]."""
        x_BCTHW = F.relu(self.bn1(self.conv1(batch)), inplace=True)
        return pooled_features(x_BCTHW, (self.layer1, self.layer2, self.layer3))

    def prunable_filters(self) -> list[PrunableFilters]:
        """All convolutions of the stacks, front to back, a block's downsampling after its others."""
        return stack_filters(self)
