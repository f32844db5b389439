"""Graph convolutions: filters over the neighbors of a joint, in partitions.

Legend: N clips times persons, C channels read, F filters, P partitions, T frames, V joints gathered from,
W joints gathered to.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class GatheringConvolution(nn.Conv2d, ABC):
    """Convolution whose kernel spans the partitions of a graph.

    A filter is one row of ``weight`` [F, C, P, 1] and of ``bias`` [F, ...], so that pruning treats it like a
    filter of any convolution.

    Args:
        num_read: C.
        num_written: F.
        num_partitions: P.
        num_joints: V.
    """

    bias: nn.Parameter

    def __init__(self, num_read: int, num_written: int, num_partitions: int, num_joints: int) -> None:
        super().__init__(num_read, num_written, (num_partitions, 1), bias=False)
        self.num_gathered = num_partitions * num_joints
        """Number of weights that gather one channel for one joint."""

    def output_shape(self, x_NCTV: Tensor, partitions_PVW: Tensor, *_: Tensor) -> tuple[int, ...]:
        """Return the shape ``[N, F, T, W]`` of what `forward` returns; see `core.pruning.output_shapes`."""
        return len(x_NCTV), self.out_channels, x_NCTV.shape[2], partitions_PVW.shape[-1]

    @abstractmethod
    def gathering_multiply_adds(
        self,
        num_read: int,
        num_written: int,
        *,
        num_clips: int,
        num_positions: int,
    ) -> int:
        """Return the multiply-adds without those of ``weight``, for the given numbers of live channels.

        Args:
            num_read: channels read.
            num_written: channels written.
            num_clips: N.
            num_positions: N T W.
        """


class NeighborConvolution(GatheringConvolution):
    """Graph convolution that gathers neighbors first: the filters are one matrix product over them.

    The partitions are the same for all clips, ``[P, V, W]``, or differ, ``[N, P, V, W]``. The sum of a
    filter's biases is added once.

    Args:
        num_read: C.
        num_written: F.
        num_partitions: P.
        num_joints: V.
        num_biases: biases of each filter; networks with a convolution per partition have one for each.
    """

    def __init__(
        self, num_read: int, num_written: int, num_partitions: int, num_joints: int, num_biases: int = 1
    ) -> None:
        super().__init__(num_read, num_written, num_partitions, num_joints)
        self.bias = nn.Parameter(torch.zeros(num_written, num_biases))

    def forward(self, x_NCTV: Tensor, partitions_PVW: Tensor) -> Tensor:  # type: ignore[override]
        """Gather each joint's neighbors by partition and apply the filters: ``[N, F, T, W]``.

        If ``x_NCTV`` is in channels_last memory, no activation is copied. The output is in channels_last
        memory.

        Args:
            x_NCTV: features of the joints.
            partitions_PVW: entry (..., p, v, w) is the weight with which joint w gathers from joint v in
                partition p; may have an axis of clips in front.
        """
        num_clips, num_read, num_frames, num_joints = x_NCTV.shape
        frames = x_NCTV.permute(0, 2, 3, 1).reshape(num_clips * num_frames, num_joints, num_read)
        # Rows are ordered by joint, then by partition, so that the partitions of a joint are adjacent.
        to_from = partitions_PVW.movedim(-1, -3).flatten(-3, -2)
        if partitions_PVW.ndim == 3:
            # Not len(frames), which would tie an exported network to one number of clips.
            of_frames = to_from.expand(frames.shape[0], -1, -1)
        else:
            of_frames = to_from[:, None].expand(-1, num_frames, -1, -1).flatten(0, 1)
        gathered = torch.bmm(of_frames, frames)
        gathered = gathered.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)
        mixed = F.conv2d(gathered, self.weight.transpose(1, 2).flatten(1, 2)[..., None])
        # Added in memory order, so that the gradient, a sum, runs over whole rows.
        shifted = mixed.permute(0, 2, 3, 1).flatten(2) + self._shift(partitions_PVW).flatten()
        return shifted.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)

    def gathering_multiply_adds(
        self,
        num_read: int,
        num_written: int,
        *,
        num_clips: int,  # noqa: ARG002
        num_positions: int,
    ) -> int:
        """See `GatheringConvolution`; a layer that writes nothing gathers nothing."""
        return num_positions * num_read * self.num_gathered if num_written else 0

    def _shift(self, partitions_PVW: Tensor) -> Tensor:
        """Return what each joint's filters add, ``[W, F]``."""
        return self.bias.sum(dim=1).expand(partitions_PVW.shape[-1], -1)


class GraphConvolution(NeighborConvolution):
    """Graph convolution of ST-GCN (Yan et al. 2018, eq. 10), with the same partitions for all clips.

    As in the authors' code, each filter has one bias per partition, ``bias`` [F, P], which is multiplied by
    the sum of the weights that a joint gathers with.

    Unlike in the authors' code, neighbors are gathered before the filters are applied. The sum is the same,
    the filters become one matrix product, and a block that doubles the channels gathers half as many.
    """

    def __init__(self, num_read: int, num_written: int, num_partitions: int, num_joints: int) -> None:
        super().__init__(num_read, num_written, num_partitions, num_joints, num_biases=num_partitions)

    def _shift(self, partitions_PVW: Tensor) -> Tensor:
        return partitions_PVW.sum(dim=1).t() @ self.bias.t()


class TopologyConvolution(GatheringConvolution):
    """Graph convolution of CTR-GCN, with partitions for every clip and channel (Chen et al. 2021, eq. 8).

    The partitions are those of the graph plus a linear function of relations between joints, with weights
    ``refinement`` [F, P, R] for every filter. These weights belong to the filter and are removed with it.

    Args:
        num_read: C.
        num_written: F.
        num_partitions: P.
        num_joints: V.
        num_relations: R.
    """

    channelwise = ("refinement", "refinement_bias")
    """Further tensors ``[F, ...]``, which compaction shortens."""

    def __init__(
        self, num_read: int, num_written: int, num_partitions: int, num_joints: int, num_relations: int
    ) -> None:
        super().__init__(num_read, num_written, num_partitions, num_joints)
        self.num_joints = num_joints
        self.bias = nn.Parameter(torch.zeros(num_written, num_partitions))
        self.refinement = nn.Parameter(torch.empty(num_written, num_partitions, num_relations))
        self.refinement_bias = nn.Parameter(torch.zeros(num_written, num_partitions))
        for weight in (self.weight, self.refinement):
            nn.init.normal_(weight, std=math.sqrt(2 / num_written))

    def forward(  # type: ignore[override]
        self, x_NCTV: Tensor, partitions_PVW: Tensor, relations_NPRVW: Tensor, strength: Tensor
    ) -> Tensor:
        """Apply the filters of each partition, then gather in each channel: ``[N, F, T, W]``.

        Args:
            x_NCTV: features of the joints.
            partitions_PVW: entry (p, v, w) is the weight with which joint w gathers from joint v.
            relations_NPRVW: relations of joint w to joint v.
            strength: factor of what the relations add, one number.
        """
        num_partitions, num_joints = partitions_PVW.shape[:2]
        weight_PFC = self.weight[..., 0].permute(2, 0, 1)
        mixed = F.conv2d(x_NCTV, weight_PFC.flatten(0, 1)[..., None, None], self.bias.t().flatten())
        # Not len(mixed), which would tie an exported network to one number of clips.
        mixed_NPFTV = mixed.view(mixed.shape[0], num_partitions, -1, *mixed.shape[2:])
        # The strength scales the weights, which are fewer than the refined partitions.
        fixed = partitions_PVW.flatten(1)[:, None] + (strength * self.refinement_bias).t()[..., None]
        topology = (strength * self.refinement).transpose(0, 1) @ relations_NPRVW.flatten(3) + fixed
        topology_NPFVW = topology.view(*topology.shape[:3], num_joints, -1)
        return (mixed_NPFTV @ topology_NPFVW).sum(dim=1)

    def gathering_multiply_adds(
        self,
        num_read: int,  # noqa: ARG002
        num_written: int,
        *,
        num_clips: int,
        num_positions: int,
    ) -> int:
        """See `GatheringConvolution`: gathering and the refinement of the partitions."""
        refined = num_clips * self.num_joints**2 * math.prod(self.refinement.shape[1:])
        return num_written * (num_positions * self.num_gathered + refined)
