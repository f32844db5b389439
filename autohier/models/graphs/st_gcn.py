"""ST-GCN and ST-GCN++: networks of ten blocks with fixed or learned partitions of a joint's neighbors.

Legend: V joints, C channels, P partitions of a joint's neighbors, W joints gathered to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from autohier.models.graphs.block_network import (
    BLOCK_CHANNELS,
    BLOCK_STRIDES,
    BlockNetwork,
    as_partitions,
)
from autohier.models.graphs.branches import MultiScaleTemporalUnit
from autohier.models.graphs.joint_graph import directed_partitions, find_layout, spatial_partitions
from autohier.models.graphs.units import AdaptiveSpatialUnit, SpatialUnit, TemporalUnit

__all__ = ["BLOCK_CHANNELS", "BLOCK_STRIDES", "StGcn", "st_gcn", "st_gcn_plus_plus"]

Variant = Literal["st-gcn", "st-gcn++"]


class StGcn(BlockNetwork):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 64, 128 and 256 channels at width 1.

    "st-gcn" is Yan et al. 2018, "st-gcn++" Duan et al. 2022 (PYSKL). Dropout within blocks is omitted; the
    recipes of PYSKL have none, those of Yan et al. have 0.5 behind each temporal convolution.

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
        plus = variant == "st-gcn++"
        joints = find_layout(layout)
        partitions_PVW = as_partitions(directed_partitions(joints) if plus else spatial_partitions(joints))
        super().__init__(
            joints,
            partial(AdaptiveSpatialUnit if plus else SpatialUnit, partitions_PVW=partitions_PVW),
            MultiScaleTemporalUnit if plus else TemporalUnit,
            num_persons=None,
            in_channels=in_channels,
            width=width,
            stacks=stacks,
        )


st_gcn = partial(StGcn, "st-gcn")
st_gcn_plus_plus = partial(StGcn, "st-gcn++")
