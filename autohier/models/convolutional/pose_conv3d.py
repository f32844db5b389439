"""PoseConv3D: a shallow, narrow SlowOnly network on pseudo heatmaps of joints or limbs (CVPR 2022).

Heatmaps are small and encode only positions. So, compared with SlowOnly-50, the first stack is omitted, the
width is halved, and neither the stem nor the max pool after it strides. The first stack reads each frame
separately; the others factor a kernel into 3x1x1 over time and 1x3x3 over space; the last halves the frames.

Legend: B clips, V maps, T frames, H W pixels of a map, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from autohier.errors import InputError
from autohier.models.convolutional.pathway import ResidualPathway, StackShape, StemShape
from autohier.models.convolutional.residual import (
    Extent,
    FactoredBottleneck,
    FrameBottleneck,
    Initialisation,
    check_options,
    scaled_channels,
    start_convolutions,
)

BASE_CHANNELS: Final = 32
NUM_BLOCKS: Final = (4, 6, 3)
SMALL_BASE_CHANNELS: Final = 16
"""Base channels of pose-slowonly-small: half the channels, a quarter of the parameters, a third of the
multiply-adds."""
SHALLOW_NUM_BLOCKS: Final = (2, 3, 2)
"""Blocks per stack of pose-slowonly-shallow: half of each, as the paper does for X3D, but rounded up, so that
the last stack keeps a block without stride; two thirds of the parameters and multiply-adds."""

_BLOCKS: Final = (FrameBottleneck, FactoredBottleneck, FactoredBottleneck)
_STRIDES: Final[tuple[Extent, Extent]] = ((1, 2, 2), (1, 2, 2))
"""Strides of the stacks before the last."""


class PoseSlowOnly(ResidualPathway):
    """Network on heatmaps, float [B, V, T, H, W]; stacks of 128, 256 and 512 channels at width 1.

    Weights are initialized as in the other recognizers. The authors' code zeroes the last norm of a block,
    which leaves most convolutions without a gradient in the first step. The paper's dropout before the
    classifier is a setting of training, as all recognizers have the same heads.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        in_channels: V, one map per joint or limb.
        initialisation: initialization of the convolutions; see `Initialisation`.
        base_channels: output channels of the stem at width 1; the inner channels of the stacks are one, two
            and four times this number.
        num_blocks: number of blocks in each of the three stacks.
        stem_pool: max pool over 3 by 3 pixels with stride 1 after the stem. The paper's table does not show
            it; the configs of PYSKL and MMAction2, which gave the published accuracies, have it.
        last_frame_stride: stride over time of the last stack; 1 or 2.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        in_channels: int = 17,
        initialisation: Initialisation = "fan-in",
        base_channels: int = BASE_CHANNELS,
        num_blocks: Sequence[int] = NUM_BLOCKS,
        stem_pool: bool = True,
        last_frame_stride: int = 2,
    ) -> None:
        check_options(width, in_channels, initialisation)
        if base_channels < 1:
            raise InputError("base_channels must be at least 1", got=base_channels)
        if last_frame_stride not in {1, 2}:
            raise InputError("last_frame_stride must be 1 or 2", got=last_frame_stride)
        if len(num_blocks) != len(_BLOCKS) or min(num_blocks) < 1:
            raise InputError(
                "num_blocks must be three counts of at least 1",
                got=tuple(num_blocks),
                hint="write e.g. (4, 6, 3)",
            )
        num_stem, *num_inner = (scaled_channels(base_channels * times, width) for times in (1, 1, 2, 4))
        stem = StemShape(num_stem, stride=1, pool_stride=1 if stem_pool else None)
        strides = (*_STRIDES, (last_frame_stride, 2, 2))
        stacks = [StackShape(*shape) for shape in zip(_BLOCKS, num_blocks, num_inner, strides, strict=True)]
        super().__init__(in_channels, stem, stacks)
        start_convolutions(self, initialisation)


small = partial(PoseSlowOnly, base_channels=SMALL_BASE_CHANNELS)
shallow = partial(PoseSlowOnly, num_blocks=SHALLOW_NUM_BLOCKS)
