"""Inflated ResNet: a 2D ResNet whose 3x3 convolutions also read the previous and the next frame.

The backbone of HAC (after Glimpse Clouds, CVPR 2018): a 2D stem on each frame, then four stacks in which
3x3 kernels become 3x3x3 and 1x1 kernels 1x1x1. Time is never strided, so the number of frames stays T.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from functools import partial

from autohier.errors import InputError
from autohier.models.convolutional.pathway import ResidualPathway, StackShape, StemShape
from autohier.models.convolutional.residual import (
    BasicBlock,
    Bottleneck,
    Extent,
    Initialisation,
    check_options,
    scaled_channels,
    start_convolutions,
)

STEM_CHANNELS = 64
STACK_CHANNELS = (64, 128, 256, 512)
STACK_STRIDES: tuple[Extent, ...] = ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))

DEPTHS: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}
"""Block class and blocks per stack, by the depth in the network's name."""


class InflatedResNet(ResidualPathway):
    """Network on frames, float [B, C, T, H, W], with four stacks.

    At width 1 and depth 50 or 101, the stacks have 256, 512, 1024 and 2048 channels; else a quarter of these.

    Args:
        depth: 18, 34, 50 or 101.
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.
        initialisation: initialization of the convolutions; see `Initialisation`.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        initialisation: Initialisation = "fan-in",
    ) -> None:
        if depth not in DEPTHS:
            raise InputError(f"depth must be one of {', '.join(map(str, DEPTHS))}", got=depth)
        check_options(width, in_channels, initialisation)
        block, num_blocks = DEPTHS[depth]
        stacks = [
            StackShape(block, number, scaled_channels(channels, width), stride)
            for number, channels, stride in zip(num_blocks, STACK_CHANNELS, STACK_STRIDES, strict=True)
        ]
        super().__init__(in_channels, StemShape(scaled_channels(STEM_CHANNELS, width)), stacks)
        start_convolutions(self, initialisation)


resnet18, resnet34, resnet50, resnet101 = (partial(InflatedResNet, depth) for depth in DEPTHS)
