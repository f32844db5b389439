"""ST-GCN and ST-GCN++: graph convolutions over a body's joints, convolutions over time.

Ten blocks of 64, 128 and 256 channels; blocks 5 and 8 widen and halve the frames. Persons pass one by one
and are averaged.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels, P partitions of a joint's neighbours.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.graph import directed_partitions, find_layout, spatial_partitions
from autohier.models.graph_convolution import GraphConvolution
from autohier.models.recognizer import PrunableFilters, Recognizer
from autohier.models.residual import scaled_channels

Variant = Literal["st-gcn", "st-gcn++"]

BLOCK_CHANNELS = (64,) * 4 + (128,) * 3 + (256,) * 3
STRIDED_BLOCKS = (4, 7)
"""0-based: where channels double and frames halve."""
_TEMPORAL_KERNEL = 9
_DILATIONS = (1, 2, 3, 4)
_NUM_BRANCHES = 6


class Unit(nn.Module, ABC):
    """A part of a block that holds convolutions."""

    @abstractmethod
    def filters(self) -> list[PrunableFilters]:
        """Its convolutions by their names within it, in the order data passes them."""


class Projection(Unit):
    """A shortcut where channels or frames change."""

    def __init__(self, num_read: int, num_written: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_read, num_written, 1, stride=(stride, 1))
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, num_written, T / stride, V]."""
        out: Tensor = self.bn(self.conv(x_NCTV))
        return out

    def filters(self) -> list[PrunableFilters]:
        """The projection."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class SpatialUnit(Unit):
    """ST-GCN's graph convolution: fixed partitions times their learned importance."""

    partitions: Tensor

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        self.register_buffer("partitions", partitions_PVW.clone())
        self.importance = nn.Parameter(torch.ones_like(partitions_PVW))
        self.conv = GraphConvolution(num_read, num_written, len(partitions_PVW))
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, num_written, T, V]."""
        return F.relu(self.bn(self.conv(x_NCTV, self.partitions * self.importance)))

    def filters(self) -> list[PrunableFilters]:
        """The convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class AdaptiveSpatialUnit(Unit):
    """ST-GCN++'s: the partitions themselves are learned, and what is read is added to what is written."""

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        self.partitions = nn.Parameter(partitions_PVW.clone())
        self.conv = GraphConvolution(num_read, num_written, len(partitions_PVW))
        self.bn = nn.BatchNorm2d(num_written)
        self.shortcut = _shortcut(num_read, num_written, stride=1)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, num_written, T, V]."""
        return F.relu(self.bn(self.conv(x_NCTV, self.partitions)) + self.shortcut(x_NCTV))

    def filters(self) -> list[PrunableFilters]:
        """The convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class TemporalUnit(Unit):
    """ST-GCN's convolution over nine frames of a joint."""

    def __init__(self, num_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            num_channels,
            num_channels,
            (_TEMPORAL_KERNEL, 1),
            stride=(stride, 1),
            padding=(_TEMPORAL_KERNEL // 2, 0),
        )
        self.bn = nn.BatchNorm2d(num_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.dropout(self.bn(self.conv(x_NCTV)))
        return out

    def filters(self) -> list[PrunableFilters]:
        """The convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class MultiScaleTemporalUnit(Unit):
    """ST-GCN++'s six branches over time: dilations 1 to 4, the greatest of three frames, a frame alone."""

    def __init__(self, num_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        narrow = num_channels // _NUM_BRANCHES
        first = num_channels - narrow * (_NUM_BRANCHES - 1)
        widths = (first, *[narrow] * (len(_DILATIONS) - 1))
        num_reduced = num_channels - narrow
        self.reduce = nn.Conv2d(num_channels, num_reduced, 1)
        self.reduce_bn = nn.BatchNorm2d(num_reduced)
        self.dilated = nn.ModuleList(
            nn.Conv2d(width, width, (3, 1), stride=(stride, 1), padding=(dilation, 0), dilation=(dilation, 1))
            for width, dilation in zip(widths, _DILATIONS, strict=True)
        )
        self.pool = nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))
        self.point = nn.Conv2d(num_channels, narrow, 1, stride=(stride, 1))
        self.branch_bn = nn.BatchNorm2d(num_channels)
        self.transform = nn.Conv2d(num_channels, num_channels, 1)
        self.bn = nn.BatchNorm2d(num_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, C, T / stride, V]."""
        reduced = F.relu(self.reduce_bn(self.reduce(x_NCTV)))
        widths = [convolution.weight.shape[1] for convolution in self._dilated()]
        *parts, pooled = torch.split(reduced, [*widths, reduced.shape[1] - sum(widths)], dim=1)
        branches = [convolution(part) for convolution, part in zip(self._dilated(), parts, strict=True)]
        joined = torch.cat([*branches, self.pool(pooled), self.point(x_NCTV)], dim=1)
        out: Tensor = self.dropout(self.bn(self.transform(F.relu(self.branch_bn(joined)))))
        return out

    def _dilated(self) -> list[nn.Conv2d]:
        return [module for module in self.dilated if isinstance(module, nn.Conv2d)]

    def filters(self) -> list[PrunableFilters]:
        """The branches' beginnings, their ends side by side before one norm, and what mixes them."""
        filters = [PrunableFilters("reduce", self.reduce, self.reduce_bn)]
        first = 0
        for index, convolution in enumerate(self._dilated()):
            filters.append(PrunableFilters(f"dilated.{index}", convolution, self.branch_bn, first))
            first += len(convolution.weight)
        first = self.branch_bn.num_features - len(self.point.weight)
        filters.append(PrunableFilters("point", self.point, self.branch_bn, first))
        return [*filters, PrunableFilters("transform", self.transform, self.bn)]


class Block(nn.Module):
    """A graph convolution and a temporal one, around a shortcut."""

    def __init__(self, spatial: nn.Module, temporal: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.shortcut = shortcut

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.temporal(self.spatial(x_NCTV))
        if self.shortcut is not None:
            out = out + self.shortcut(x_NCTV)
        return F.relu(out)


class StGcn(Recognizer):
    """Skeletons float [B, M, T, V, C] to one feature per stack; at width 1 of 64, 128 and 256 channels.

    Args:
        variant: "st-gcn" (Yan et al. 2018) or "st-gcn++" (Duan et al. 2022).
        layout: name of the `JointLayout` that the V joints follow.
        in_channels: C.
        width: multiplies every channel count; see `scaled_channels`.
        stacks: blocks of every stack, front to back.
        dropout: of what a temporal convolution puts out.

    Raises:
        InputError: where an argument is out of range.
    """

    modality = "skeletons"

    def __init__(
        self,
        variant: Variant,
        *,
        layout: str = "kinect-v2-25",
        in_channels: int = 3,
        width: float = 1.0,
        stacks: Sequence[int] = (4, 3, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check(in_channels, width, stacks, dropout)
        joints = find_layout(layout)
        adaptive = variant == "st-gcn++"
        spatial = AdaptiveSpatialUnit if adaptive else SpatialUnit
        temporal = MultiScaleTemporalUnit if adaptive else TemporalUnit
        make_partitions = directed_partitions if adaptive else spatial_partitions
        partitions_PVW = torch.from_numpy(make_partitions(joints)).to(torch.get_default_dtype())
        self.data_bn = nn.BatchNorm1d(joints.num_joints * in_channels)
        channels = [scaled_channels(each, width) for each in BLOCK_CHANNELS]
        self.blocks = nn.ModuleList()
        for index, num_written in enumerate(channels):
            num_read = channels[index - 1] if index else in_channels
            stride = 2 if index in STRIDED_BLOCKS else 1
            self.blocks.append(
                Block(
                    spatial(num_read, num_written, partitions_PVW),
                    temporal(num_written, stride, dropout),
                    _shortcut(num_read, num_written, stride) if index else None,
                )
            )
        self.stacks = tuple(stacks)
        ends = [sum(self.stacks[: index + 1]) for index in range(len(self.stacks))]
        self.stack_channels = tuple(channels[end - 1] for end in ends)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """The mean over frames, joints and persons of what each stack puts out: features [B, C_l].

        A person of zeros counts as any other, as in the source.
        """
        clips_and_persons = batch.shape[:2]
        x = batch.flatten(0, 1).flatten(2).transpose(1, 2)
        x = self.data_bn(x).unflatten(1, batch.shape[3:])
        x_NCTV = x.permute(0, 2, 3, 1)
        features = []
        blocks = iter(self.blocks)
        for num_blocks in self.stacks:
            for _ in range(num_blocks):
                x_NCTV = next(blocks)(x_NCTV)
            features.append(x_NCTV.mean(dim=(2, 3)).unflatten(0, clips_and_persons).mean(dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """All convolutions, in the order data passes them."""
        return [
            replace(each, name=f"{path}.{each.name}")
            for path, unit in self.named_modules()
            if isinstance(unit, Unit)
            for each in unit.filters()
        ]


def _shortcut(num_read: int, num_written: int, stride: int) -> nn.Module:
    if stride == 1 and num_read == num_written:
        return nn.Identity()
    return Projection(num_read, num_written, stride)


def _check(in_channels: int, width: float, stacks: Sequence[int], dropout: float) -> None:
    if in_channels < 1:
        raise InputError("in_channels must be at least 1", got=in_channels)
    if not 0 < width < math.inf:
        raise InputError("width must be positive and finite", got=width, remedy="write e.g. 0.25")
    if min(stacks, default=0) < 1 or sum(stacks) != len(BLOCK_CHANNELS):
        raise InputError(
            f"stacks must be counts of blocks, each at least 1, {len(BLOCK_CHANNELS)} in all",
            got=tuple(stacks),
            remedy="write e.g. (4, 3, 3)",
        )
    if not 0 <= dropout < 1:
        raise InputError("dropout must lie in [0, 1)", got=dropout)
