"""ST-GCN and ST-GCN++: graph convolutions over a body's joints in turn with convolutions over time.

Ten blocks of 64, 128 and 256 channels; where channels double, frames halve. Persons pass one by one and are
averaged.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels, P partitions of a joint's neighbours, W
the joint they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.graph import directed_partitions, find_layout, spatial_partitions
from autohier.models.graph_units import (
    AdaptiveSpatialUnit,
    MultiScaleTemporalUnit,
    SpatialUnit,
    TemporalUnit,
    Unit,
    shortcut,
)
from autohier.models.recognizer import PrunableFilters, Recognizer
from autohier.models.residual import check_options, scaled_channels

Variant = Literal["st-gcn", "st-gcn++"]

BLOCK_CHANNELS = (64,) * 4 + (128,) * 3 + (256,) * 3
BLOCK_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class Block(nn.Module):
    """A graph convolution, a convolution over time, and a shortcut past both."""

    def __init__(self, spatial: Unit, temporal: Unit, past: nn.Module | None) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.shortcut = past

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """[N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.temporal(self.spatial(x_NCTV))
        if self.shortcut is not None:
            out = out.add_(self.shortcut(x_NCTV))
        return F.relu(out, inplace=True)


class StGcn(Recognizer):
    """Skeletons float [B, M, T, V, C] to a feature of each stack; at width 1 of 64, 128 and 256 channels.

    "st-gcn" is Yan et al. 2018, "st-gcn++" Duan et al. 2022 (PYSKL). Their dropout is left out: it is 0 in
    the published recipes.

    Args:
        variant: which of the two.
        layout: name of the `JointLayout` of the V joints.
        in_channels: C.
        width: multiplies every channel count; see `scaled_channels`.
        stacks: blocks of each stack, front to back.

    Raises:
        InputError: where an argument is out of range.
    """

    def __init__(
        self,
        variant: Variant,
        *,
        layout: str = "kinect-v2-25",
        in_channels: int = 3,
        width: float = 1.0,
        stacks: Sequence[int] = (4, 3, 3),
    ) -> None:
        super().__init__()
        check_options(width, in_channels)
        _check_stacks(stacks)
        plus = variant == "st-gcn++"
        spatial, temporal = (
            (AdaptiveSpatialUnit, MultiScaleTemporalUnit) if plus else (SpatialUnit, TemporalUnit)
        )
        joints = find_layout(layout)
        partitions = directed_partitions(joints) if plus else spatial_partitions(joints)
        partitions_PVW = torch.as_tensor(partitions, dtype=torch.get_default_dtype())
        self.data_bn = nn.BatchNorm1d(joints.num_joints * in_channels)
        channels = [in_channels, *(scaled_channels(each, width) for each in BLOCK_CHANNELS)]
        self.blocks = nn.ModuleList(
            Block(
                spatial(num_read, num_written, partitions_PVW),
                temporal(num_written, stride),
                shortcut(num_read, num_written, stride) if index else None,
            )
            for index, ((num_read, num_written), stride) in enumerate(
                zip(pairwise(channels), BLOCK_STRIDES, strict=True)
            )
        )
        self._ends = tuple(accumulate(stacks))
        self.stack_channels = tuple(channels[end] for end in self._ends)

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """The mean over frames, joints and persons of what each stack puts out: features [B, C_l].

        Persons who are absent pass as zeros and count as any other, as in the authors' code.
        """
        # A joint's coordinates have a norm of their own, over persons and frames.
        x = self.data_bn(batch.flatten(3).flatten(0, 2)).view(-1, *batch.shape[2:])
        x_NCTV = x.permute(0, 3, 1, 2)
        features = []
        for number, block in enumerate(self.blocks, start=1):
            x_NCTV = block(x_NCTV)
            if number in self._ends:
                features.append(x_NCTV.mean(dim=(2, 3)).unflatten(0, batch.shape[:2]).mean(dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """All convolutions, in the order data passes them; a block's shortcut comes last."""
        return [
            replace(each, name=f"{path}.{each.name}")
            for path, unit in self.named_modules()
            if isinstance(unit, Unit)
            for each in unit.filters()
        ]


def _check_stacks(stacks: Sequence[int]) -> None:
    if sum(stacks) != len(BLOCK_CHANNELS) or min(stacks) < 1:
        raise InputError(
            f"stacks must be counts of at least 1 that sum to {len(BLOCK_CHANNELS)} blocks",
            got=tuple(stacks),
            remedy="write e.g. (4, 3, 3)",
        )
