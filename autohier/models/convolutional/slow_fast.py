"""SlowOnly and SlowFast with 50 layers, on frames (ICCV 2019).

SlowOnly is a ResNet-50 whose first two stacks read each frame separately; the last two factor a kernel into
3x1x1 over time and 1x3x3 over space. SlowFast adds a fast pathway with an eighth of the channels that reads
every frame, while the slow one reads every n-th. Lateral connections pass features of the fast pathway to the
slow one, which reads them behind its own.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.inflated_resnet import STACK_CHANNELS, STACK_STRIDES, STEM_CHANNELS
from autohier.models.convolutional.pathway import ResidualPathway, StackShape, StemShape, pooled
from autohier.models.convolutional.residual import (
    Bottleneck,
    FactoredBottleneck,
    FrameBottleneck,
    Initialisation,
    check_options,
    scaled_channels,
    start_convolutions,
)
from autohier.models.recognizer import PrunableFilters, Recognizer

NUM_BLOCKS: Final = (3, 4, 6, 3)
SLOW_BLOCKS: Final = (FrameBottleneck, FrameBottleneck, FactoredBottleneck, FactoredBottleneck)
FAST_BLOCKS: Final = (FactoredBottleneck,) * 4
FAST_SHARE: Final = 8
"""The fast pathway has one in this many channels of the slow one (beta = 1/8)."""
FAST_STEM_FRAMES: Final = 5
LATERAL_FACTOR: Final = 2
"""Channels of a lateral connection, as a multiple of the channels that it reads."""


class SlowOnly(ResidualPathway):
    """SlowOnly-50 on frames, float [B, C, T, H, W]; stacks of 256, 512, 1024 and 2048 channels at width 1.

    Time is never strided. Modules have the names of torchvision's 2D ResNet-50; see `inflation`.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.
        initialisation: initialization of the convolutions; see `Initialisation`.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self, *, width: float = 1.0, in_channels: int = 3, initialisation: Initialisation = "fan-in"
    ) -> None:
        check_options(width, in_channels, initialisation)
        stem = StemShape(scaled_channels(STEM_CHANNELS, width))
        super().__init__(in_channels, stem, pathway_stacks(SLOW_BLOCKS, width))
        start_convolutions(self, initialisation)


class SlowFast(Recognizer):
    """SlowFast-50 on frames, float [B, C, T, H, W]; both pathways read the same clip.

    A stack is a stack of each pathway, and its feature the pooled outputs of both, slow before fast: 288,
    576, 1152 and 2304 channels at width 1. The lateral connections after the stem and the first three stacks
    have neither norm nor activation, so their filters are not pruned.

    If T is not a multiple of slow_stride, the slow pathway also reads a frame of the last, shorter group.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.
        initialisation: initialization of the convolutions; see `Initialisation`.
        slow_stride: the slow pathway reads every n-th frame, from the first (the paper's alpha).
        lateral_kernel: frames that a lateral connection reads for each slow one: 5 (the paper, MMAction2) or
            7 (PYSKL).

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        initialisation: Initialisation = "fan-in",
        slow_stride: int = 8,
        lateral_kernel: int = 5,
    ) -> None:
        super().__init__()
        check_options(width, in_channels, initialisation)
        if slow_stride < 1:
            raise InputError("slow_stride must be at least 1", got=slow_stride)
        if lateral_kernel < 1 or lateral_kernel % 2 == 0:
            raise InputError(
                "lateral_kernel must be odd and positive", got=lateral_kernel, hint="write 5 or 7"
            )
        self.slow_stride = slow_stride
        fast_width = width / FAST_SHARE
        fast_stem = StemShape(scaled_channels(STEM_CHANNELS, fast_width), num_frames_seen=FAST_STEM_FRAMES)
        # The fast pathway comes first: the slow one reads from it.
        self.fast = ResidualPathway(in_channels, fast_stem, pathway_stacks(FAST_BLOCKS, fast_width))
        read = (fast_stem.num_written, *self.fast.stack_channels[:-1])
        self.laterals = nn.ModuleList(
            nn.Conv3d(
                channels,
                LATERAL_FACTOR * channels,
                (lateral_kernel, 1, 1),
                stride=(slow_stride, 1, 1),
                padding=(lateral_kernel // 2, 0, 0),
                bias=False,
            )
            for channels in read
        )
        joined = [LATERAL_FACTOR * channels for channels in read]
        slow_stem = StemShape(scaled_channels(STEM_CHANNELS, width))
        self.slow = ResidualPathway(in_channels, slow_stem, pathway_stacks(SLOW_BLOCKS, width, joined))
        both = zip(self.slow.stack_channels, self.fast.stack_channels, strict=True)
        self.stack_channels = tuple(slow + fast for slow, fast in both)
        start_convolutions(self, initialisation)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return both pathways' outputs after each stack, averaged over frames and pixels: [B, C_l]."""
        slow_BCTHW = self.slow.stem(batch[:, :, :: self.slow_stride])
        fast_BCTHW = self.fast.stem(batch)
        features = []
        for slow, fast, lateral in zip(self.slow.stacks, self.fast.stacks, self.laterals, strict=True):
            slow_BCTHW = slow(torch.cat([slow_BCTHW, lateral(fast_BCTHW)], dim=1))
            fast_BCTHW = fast(fast_BCTHW)
            features.append(torch.cat([pooled(slow_BCTHW), pooled(fast_BCTHW)], dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks' convolutions: those of the fast pathway, then the slow one's."""
        return [
            PrunableFilters(f"{name}.{each.name}", each.convolution, each.norm)
            for name, pathway in (("fast", self.fast), ("slow", self.slow))
            for each in pathway.prunable_filters()
        ]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the stems' convolutions, which read the channels of a frame."""
        return frozenset({"fast.conv1.weight", "slow.conv1.weight"})


def pathway_stacks(
    blocks: Sequence[type[Bottleneck]], width: float, joined: Sequence[int] = (0, 0, 0, 0)
) -> list[StackShape]:
    """Return the stacks of a ResNet-50.

    Args:
        blocks: block of every stack.
        width: factor of every channel count.
        joined: channels of another pathway that every stack reads.
    """
    shapes = zip(blocks, NUM_BLOCKS, STACK_CHANNELS, STACK_STRIDES, joined, strict=True)
    return [
        StackShape(block, number, scaled_channels(channels, width), stride, num_joined)
        for block, number, channels, stride, num_joined in shapes
    ]
