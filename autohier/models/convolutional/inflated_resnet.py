"""Inflated ResNet: a 2D ResNet whose 3x3 convolutions also read the previous and the next frame.

The backbone of HAC (after Glimpse Clouds, CVPR 2018): a 2D stem on each frame, then four stacks in which
3x3 kernels become 3x3x3 and 1x1 kernels 1x1x1. Time is never strided, so the number of frames stays T.
Modules have the names of torchvision's 2D ResNet (conv1, layer1.0.conv1, ...); see `inflation`.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.residual import (
    BasicBlock,
    Bottleneck,
    Initialisation,
    check_options,
    pooled_features,
    residual_stack,
    scaled_channels,
    stack_filters,
    start_convolutions,
)
from autohier.models.recognizer import PrunableFilters, Recognizer

STEM_CHANNELS = 64
STACK_CHANNELS = (64, 128, 256, 512)

DEPTHS: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}
"""Block class and blocks per stack, by the depth in the network's name."""


class InflatedResNet(Recognizer):
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
        super().__init__()
        if depth not in DEPTHS:
            raise InputError(f"depth must be one of {', '.join(map(str, DEPTHS))}", got=depth)
        check_options(width, in_channels, initialisation)
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
        self.layer1 = residual_stack(block, num_blocks[0], read[0], num_inner[0], (1, 1, 1))
        self.layer2 = residual_stack(block, num_blocks[1], read[1], num_inner[1], (1, 2, 2))
        self.layer3 = residual_stack(block, num_blocks[2], read[2], num_inner[2], (1, 2, 2))
        self.layer4 = residual_stack(block, num_blocks[3], read[3], num_inner[3], (1, 2, 2))
        start_convolutions(self, initialisation)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: four features [B, C_l]."""
        x_BCTHW = self.maxpool(F.relu(self.bn1(self.conv1(batch)), inplace=True))
        return pooled_features(x_BCTHW, (self.layer1, self.layer2, self.layer3, self.layer4))

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks' convolutions, front to back; a block's downsampling is last."""
        return stack_filters(self)


resnet18, resnet34, resnet50, resnet101 = (partial(InflatedResNet, depth) for depth in DEPTHS)
