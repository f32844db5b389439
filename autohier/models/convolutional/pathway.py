"""Residual pathway: a stem and stacks of residual blocks, as ResNets over space and time have them.

Modules have the names of torchvision's 2D ResNet (conv1, layer1.0.conv1, ...); see `inflation`.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.convolutional.residual import (
    BasicBlock,
    Bottleneck,
    Extent,
    residual_stack,
    stack_filters,
)
from autohier.models.recognizer import PrunableFilters, Recognizer


@dataclass(frozen=True, slots=True)
class StackShape:
    """One stack of a pathway: equally wide blocks, the first of which strides."""

    block: type[BasicBlock | Bottleneck]
    num_blocks: int
    num_inner: int
    """Inner channels of a block."""
    stride: Extent = (1, 2, 2)
    num_joined: int = 0
    """Channels of another pathway that the stack reads behind those of the stack before it."""


@dataclass(frozen=True, slots=True)
class StemShape:
    """First convolution of a pathway, and the max pool behind its norm."""

    num_written: int
    num_frames_seen: int = 1
    stride: int = 2
    """Stride over rows and columns."""
    pool_stride: int | None = 2
    """Stride of the max pool over 3 by 3 pixels; None has no pool."""


STEM_KERNEL_PX: Final = 7


class ResidualPathway(Recognizer):
    """Network on frames or maps, float [B, C, T, H, W]: a stem and residual stacks.

    Weights are those of torch's default initialization; see `residual.start_convolutions`.

    Args:
        in_channels: C.
        stem: first convolution.
        stacks: the stacks, front to back.
    """

    def __init__(self, in_channels: int, stem: StemShape, stacks: Sequence[StackShape]) -> None:
        super().__init__()
        self.stack_channels = tuple(stack.block.expansion * stack.num_inner for stack in stacks)
        self.conv1 = nn.Conv3d(
            in_channels,
            stem.num_written,
            (stem.num_frames_seen, STEM_KERNEL_PX, STEM_KERNEL_PX),
            stride=(1, stem.stride, stem.stride),
            padding=(stem.num_frames_seen // 2, STEM_KERNEL_PX // 2, STEM_KERNEL_PX // 2),
            bias=False,
        )
        self.bn1 = nn.BatchNorm3d(stem.num_written)
        self.maxpool = (
            nn.Identity()
            if stem.pool_stride is None
            else nn.MaxPool3d((1, 3, 3), stride=(1, stem.pool_stride, stem.pool_stride), padding=(0, 1, 1))
        )
        self._stack_names = tuple(f"layer{index + 1}" for index in range(len(stacks)))
        read = (stem.num_written, *self.stack_channels)
        for name, stack, num_own in zip(self._stack_names, stacks, read[:-1], strict=True):
            num_read = num_own + stack.num_joined
            blocks = residual_stack(stack.block, stack.num_blocks, num_read, stack.num_inner, stack.stride)
            self.add_module(name, blocks)

    @property
    def stacks(self) -> tuple[nn.Module, ...]:
        """Stacks, front to back."""
        return tuple(self.get_submodule(name) for name in self._stack_names)

    def stem(self, x_BCTHW: Tensor) -> Tensor:
        """Return what the first stack reads."""
        out: Tensor = self.maxpool(F.relu(self.bn1(self.conv1(x_BCTHW)), inplace=True))
        return out

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: one feature [B, C_l] per stack."""
        features = []
        x_BCTHW = self.stem(batch)
        for stack in self.stacks:
            x_BCTHW = stack(x_BCTHW)
            features.append(pooled(x_BCTHW))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks' convolutions, front to back; a block's downsampling is last."""
        return stack_filters(self)

    def data_tensors(self) -> frozenset[str]:
        """Return the name of the stem's convolution, which reads the channels of a frame, or the maps."""
        return frozenset({"conv1.weight"})


def pooled(x_BCTHW: Tensor) -> Tensor:
    """Return the mean over frames and pixels, [B, C]."""
    return x_BCTHW.mean(dim=(2, 3, 4))
