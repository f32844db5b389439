"""Graph convolution: filters over a joint's neighbours, which a graph parts.

Legend: N clips times persons, C channels read, F filters, P partitions, T frames, V joints gathered from,
W joints gathered to.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class GraphConvolution(nn.Conv2d):
    """A convolution whose kernel spans the partitions of a graph (ST-GCN, Yan et al. 2018, eq. 10).

    A filter is one row of ``weight`` [F, C, P, 1] and of ``bias`` [F, P], so that what prunes or removes
    filters needs to know no more than of any convolution. As in the authors' code a bias belongs to a filter
    and a partition: it comes out times the weights that flow into a joint.

    Neighbours are gathered before the filters are applied, not after as there. The sum is the same, the
    filters are one matrix product, and where channels double half as many are gathered.
    """

    bias: nn.Parameter

    def __init__(self, num_read: int, num_written: int, num_partitions: int, num_joints: int) -> None:
        super().__init__(num_read, num_written, (num_partitions, 1), bias=False)
        self.bias = nn.Parameter(torch.zeros(num_written, num_partitions))
        self.num_gathered = num_partitions * num_joints
        """Weights that gather one channel for one joint."""

    def forward(self, x_NCTV: Tensor, partitions_PVW: Tensor) -> Tensor:  # type: ignore[override]
        """Each joint's neighbours, weighted by partition, then mixed by the filters: ``[N, F, T, W]``.

        Copies no activation where ``x_NCTV`` is in channels_last memory; what it returns is.

        Args:
            x_NCTV: what the joints hold.
            partitions_PVW: entry (p, v, w) weighs what joint w takes from joint v in partition p.
        """
        num_clips, num_read, num_frames, num_joints = x_NCTV.shape
        frames = x_NCTV.permute(0, 2, 3, 1).reshape(num_clips * num_frames, num_joints, num_read)
        # Rows in the order of joints, then partitions, so that a joint's partitions lie side by side.
        to_from = partitions_PVW.permute(2, 0, 1).flatten(0, 1)
        gathered = torch.bmm(to_from.expand(len(frames), -1, -1), frames)
        gathered = gathered.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)
        mixed = F.conv2d(gathered, self.weight.transpose(1, 2).flatten(1, 2)[..., None])
        # Added in the memory's own order: the sum that is its gradient then runs over whole rows.
        shift_WF = partitions_PVW.sum(dim=1).t() @ self.bias.t()
        shifted = mixed.permute(0, 2, 3, 1).flatten(2) + shift_WF.flatten()
        return shifted.view(num_clips, num_frames, num_joints, -1).permute(0, 3, 1, 2)
