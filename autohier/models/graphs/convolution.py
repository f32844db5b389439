"""Graph convolution: filters over the neighbors of a joint, in partitions.

Legend: N clips times persons, C channels read, F filters, P partitions, T frames, V joints gathered from,
W joints gathered to.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class GraphConvolution(nn.Conv2d):
    """Convolution whose kernel spans the partitions of a graph (ST-GCN, Yan et al. 2018, eq. 10).

    A filter is one row of ``weight`` [F, C, P, 1] and of ``bias`` [F, P], so that pruning treats it like a
    filter of any convolution. As in the authors' code, each filter has one bias per partition, which is
    multiplied by the sum of the weights that a joint gathers with.

    Unlike in the authors' code, neighbors are gathered before the filters are applied. The sum is the same,
    the filters become one matrix product, and a block that doubles the channels gathers half as many.
    """

    bias: nn.Parameter

    def __init__(self, num_read: int, num_written: int, num_partitions: int, num_joints: int) -> None:
        super().__init__(num_read, num_written, (num_partitions, 1), bias=False)
        self.bias = nn.Parameter(torch.zeros(num_written, num_partitions))
        self.num_gathered = num_partitions * num_joints
        """Number of weights that gather one channel for one joint."""

    def forward(self, x_NCTV: Tensor, partitions_PVW: Tensor) -> Tensor:  # type: ignore[override]
        """Gather each joint's neighbors by partition and apply the filters: ``[N, F, T, W]``.

        If ``x_NCTV`` is in channels_last memory, no activation is copied. The output is in channels_last
        memory.

        Args:
            x_NCTV: features of the joints.
            partitions_PVW: entry (p, v, w) is the weight with which joint w gathers from joint v in partition
                p.
        """
        num_clips, num_read, num_frames, num_joints = x_NCTV.shape
        frames = x_NCTV.permute(0, 2, 3, 1).reshape(num_clips * num_frames, num_joints, num_read)
        # Rows are ordered by joint, then by partition, so that the partitions of a joint are adjacent.
        to_from = partitions_PVW.permute(2, 0, 1).flatten(0, 1)
        # Not len(frames), which would tie an exported network to one number of clips.
        gathered = torch.bmm(to_from.expand(frames.shape[0], -1, -1), frames)
        gathered = gathered.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)
        mixed = F.conv2d(gathered, self.weight.transpose(1, 2).flatten(1, 2)[..., None])
        # Added in memory order, so that the gradient, a sum, runs over whole rows.
        shift_WF = partitions_PVW.sum(dim=1).t() @ self.bias.t()
        shifted = mixed.permute(0, 2, 3, 1).flatten(2) + shift_WF.flatten()
        return shifted.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)
