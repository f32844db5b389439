"""AAGCN: a network of ten blocks with attention between joints, and to joints, frames and channels.

Shi et al., "Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks"
(IEEE TIP 2020).

Legend: V joints, C channels, M persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from autohier.models.graphs.attention import AttentionSpatialUnit
from autohier.models.graphs.block_network import BlockNetwork, as_partitions, start_shortcuts
from autohier.models.graphs.joint_graph import directed_partitions, find_layout
from autohier.models.graphs.units import TemporalUnit, start_fan_out


class Aagcn(BlockNetwork):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 64, 128 and 256 channels at width 1.

    Partitions start as the joint itself, its parent, and the mean of its children, as in PYSKL.

    Args:
        layout: name of the `JointLayout` of the V joints.
        num_persons: M.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        stacks: number of blocks in each stack, front to back.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        layout: str = "kinect-v2-25",
        num_persons: int = 2,
        in_channels: int = 3,
        width: float = 1.0,
        stacks: Sequence[int] = (4, 3, 3),
    ) -> None:
        joints = find_layout(layout)
        partitions_PVW = as_partitions(directed_partitions(joints))
        super().__init__(
            joints,
            partial(AttentionSpatialUnit, partitions_PVW=partitions_PVW),
            TemporalUnit,
            num_persons=num_persons,
            in_channels=in_channels,
            width=width,
            stacks=stacks,
        )
        start_shortcuts(self)
        for module in self.modules():
            if isinstance(module, TemporalUnit):
                start_fan_out(module.conv, module.conv.out_channels)
