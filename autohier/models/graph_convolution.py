"""Graph convolution: a 1x1 convolution of each partition of a joint's neighbourhood, summed.

Legend: N clips times persons, C channels read, F filters, P partitions, T frames, V joints gathered from,
W joints gathered to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GraphConvolution(nn.Conv2d):
    """A convolution whose kernel spans the partitions of a graph (ST-GCN, Yan et al. 2018, eq. 10).

    A filter is one row of ``weight`` [F, C, P, 1] and of ``bias`` [F, P], so that what prunes or removes
    filters needs to know no more than of any convolution. A bias belongs to a partition, not to a filter, as
    in the authors' code: it comes out times the weights that flow into a joint.
    """

    bias: nn.Parameter

    def __init__(self, num_read: int, num_written: int, num_partitions: int) -> None:
        super().__init__(num_read, num_written, (num_partitions, 1), bias=False)
        self.bias = nn.Parameter(torch.zeros(num_written, num_partitions))

    def forward(self, x_NCTV: Tensor, partitions_PVW: Tensor) -> Tensor:  # type: ignore[override]
        """``[N, F, T, W]``: each joint's neighbours by partition, weighted, then mixed by the filters."""
        gathered = torch.einsum("nctv,pvw->ncptw", x_NCTV, partitions_PVW)
        mixed = torch.einsum("ncptw,fcp->nftw", gathered, self.weight.squeeze(3))
        return mixed + (self.bias @ partitions_PVW.sum(dim=1))[:, None]
