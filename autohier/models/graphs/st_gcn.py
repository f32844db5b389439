"""ST-GCN and ST-GCN++: graph convolutions over joints that alternate with convolutions over time.

Ten blocks of 64, 128 and 256 channels; a block that doubles the channels halves the frames. The persons of a
clip pass through the network separately, and their features are averaged.

Legend: B clips, M persons, N = B M, T frames, V joints gathered from, W joints gathered to, C channels,
P partitions of a joint's neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.residual import check_options, scaled_channels
from autohier.models.graphs.joint_graph import directed_partitions, find_layout, spatial_partitions
from autohier.models.graphs.units import (
    AdaptiveSpatialUnit,
    MultiScaleTemporalUnit,
    SpatialUnit,
    TemporalUnit,
    Unit,
    shortcut,
)
from autohier.models.recognizer import PrunableFilters, Recognizer

Variant = Literal["st-gcn", "st-gcn++"]

BLOCK_CHANNELS = (64,) * 4 + (128,) * 3 + (256,) * 3
BLOCK_STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class Block(nn.Module):
    """Graph convolution, then a convolution over time, with a shortcut around both."""

    def __init__(self, spatial: Unit, temporal: Unit, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.shortcut = shortcut

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, C, T / stride, V]."""
        out: Tensor = self.temporal(self.spatial(x_NCTV))
        if self.shortcut is not None:
            out = out.add_(self.shortcut(x_NCTV))
        return F.relu(out, inplace=True)


class StGcn(Recognizer):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 64, 128 and 256 channels at width 1.

    "st-gcn" is Yan et al. 2018, "st-gcn++" Duan et al. 2022 (PYSKL). Their dropout is omitted, as it is 0 in
    the published recipes.

    Args:
        variant: "st-gcn" or "st-gcn++".
        layout: name of the `JointLayout` of the V joints.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        stacks: number of blocks in each stack, front to back.

    Raises:
        InputError: if an argument is out of range.
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
        """Return each stack's output, averaged over frames, joints and persons: features [B, C_l].

        Absent persons are zeros and count in the average, as in the authors' code.
        """
        # The norm has its own channel for every coordinate of every joint, over persons and frames.
        x = self.data_bn(batch.flatten(3).flatten(0, 2)).view(-1, *batch.shape[2:])
        x_NCTV = x.permute(0, 3, 1, 2)
        features = []
        for number, block in enumerate(self.blocks, start=1):
            x_NCTV = block(x_NCTV)
            if number in self._ends:
                features.append(x_NCTV.mean(dim=(2, 3)).unflatten(0, batch.shape[:2]).mean(dim=1))
        return features

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of all convolutions in the order of the data; a block's shortcut is last."""
        return [
            replace(each, name=f"{path}.{each.name}")
            for path, unit in self.named_modules()
            if isinstance(unit, Unit)
            for each in unit.filters()
        ]

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the norm of the coordinates, the partitions and the edge importances."""
        own = ("partitions", "importance")
        return frozenset(
            name
            for name in self.state_dict()
            if name.startswith("data_bn.") or name.rpartition(".")[2] in own
        )


st_gcn = partial(StGcn, "st-gcn")
st_gcn_plus_plus = partial(StGcn, "st-gcn++")


def _check_stacks(stacks: Sequence[int]) -> None:
    if sum(stacks) != len(BLOCK_CHANNELS) or min(stacks) < 1:
        raise InputError(
            f"stacks must be counts of at least 1 that sum to {len(BLOCK_CHANNELS)} blocks",
            got=tuple(stacks),
            hint="write e.g. (4, 3, 3)",
        )
