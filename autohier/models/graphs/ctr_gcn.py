"""CTR-GCN: a network of ten blocks whose graph is refined for every clip and channel.

Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
(ICCV 2021).

Legend: V joints, C channels, M persons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from torch import Tensor

from autohier.errors import InputError
from autohier.models.graphs.attention import ChannelwiseSpatialUnit
from autohier.models.graphs.block_network import BlockNetwork, as_partitions, start_shortcuts
from autohier.models.graphs.branches import FourBranchTemporalUnit
from autohier.models.graphs.joint_graph import directed_partitions, find_layout

BRANCH_RELU: Final = "branch_relu"
"""Name of a tensor next to starting weights of other packages: true if the network has these ReLUs."""


class CtrGcn(BlockNetwork):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 64, 128 and 256 channels at width 1.

    Partitions start as the joint itself, its parent, and the mean of its children.

    Args:
        layout: name of the `JointLayout` of the V joints.
        num_persons: M.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        stacks: number of blocks in each stack, front to back.
        branch_relu: True adds a ReLU behind the temporal branches, as PYSKL does.

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
        branch_relu: bool = False,
    ) -> None:
        joints = find_layout(layout)
        partitions_PVW = as_partitions(directed_partitions(joints))
        super().__init__(
            joints,
            partial(ChannelwiseSpatialUnit, partitions_PVW=partitions_PVW),
            partial(FourBranchTemporalUnit, rectify=branch_relu),
            num_persons=num_persons,
            in_channels=in_channels,
            width=width,
            stacks=stacks,
        )
        start_shortcuts(self)
        self._branch_relu = branch_relu

    def stored_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Check if the tensors are of a network with the same ReLUs, which no tensor shows.

        Raises:
            InputError: if they are not.
        """
        own = dict(tensors)
        marked = own.pop(BRANCH_RELU, None)
        if marked is not None and bool(marked) != self._branch_relu:
            has, other = ("has one", "PYSKL") if marked else ("has none", "the authors")
            raise InputError(
                "starting weights of ctr-gcn must be of a network that agrees on a ReLU behind its temporal "
                "branches",
                got=f"that of {other}, which {has}",
                hint=f"add --set recognizer.branch_relu={str(bool(marked)).lower()}",
            )
        return own
