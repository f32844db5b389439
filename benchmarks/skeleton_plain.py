"""A straightforward ST-GCN++: one module for every partition and every branch, as in the paper.

Legend: B clips, M persons, N = B M, C channels read, F filters, T frames, V joints.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.graphs.block_network import Block
from autohier.models.graphs.branches import MultiScaleTemporalUnit
from autohier.models.graphs.st_gcn import StGcn
from autohier.models.graphs.units import AdaptiveSpatialUnit, Projection
from autohier.models.hierarchical import HierarchicalRecognizer


def plain_copy(network: HierarchicalRecognizer) -> nn.Module:
    """Return a plain network with copies of the weights of an "st-gcn++" and its class head."""
    if not isinstance(network.recognizer, StGcn):
        raise TypeError("the network must be an StGcn")
    *_, head = network.heads.values()
    return PlainNetwork(network.recognizer, head)


class PlainNetwork(nn.Module):
    """The whole network; returns class scores only."""

    def __init__(self, network: StGcn, head: nn.Module) -> None:
        super().__init__()
        self.data_bn = copy.deepcopy(network.data_bn)
        self.blocks = nn.ModuleList(PlainBlock(block) for block in network.blocks)
        self.head = copy.deepcopy(head)

    def forward(self, x_BMTVC: Tensor) -> list[Tensor]:
        """Return ``[scores_BK]``."""
        num_clips, num_persons, num_frames, num_joints, num_channels = x_BMTVC.shape
        x = x_BMTVC.permute(0, 1, 3, 4, 2).contiguous()
        x = self.data_bn(x.view(num_clips * num_persons, num_joints * num_channels, num_frames))
        x = x.view(num_clips * num_persons, num_joints, num_channels, num_frames)
        x = x.permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, 1).view(num_clips, num_persons, -1).mean(dim=1)
        return [self.head(x)]


class PlainBlock(nn.Module):
    """Spatial unit, temporal unit and shortcut."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        if not isinstance(block, Block):
            raise TypeError("the network must consist of Blocks")
        self.spatial = PlainSpatial(block.spatial)
        self.temporal = PlainTemporal(block.temporal)
        self.shortcut = None if block.shortcut is None else _shortcut(block.shortcut)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, F, T / stride, V]."""
        out = self.temporal(self.spatial(x_NCTV))
        return F.relu(out if self.shortcut is None else out + self.shortcut(x_NCTV))


class PlainSpatial(nn.Module):
    """Spatial unit with a convolution and an einsum for every partition."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        if not isinstance(unit, AdaptiveSpatialUnit):
            raise TypeError("the unit must be one of ST-GCN++")
        self.partitions = nn.Parameter(unit.partitions.detach().clone())
        self.convolutions = nn.ModuleList(
            _pointwise(kernel_FC1[..., None], bias_F)
            for kernel_FC1, bias_F in zip(unit.conv.weight.unbind(2), unit.conv.bias.unbind(1), strict=True)
        )
        self.bn = copy.deepcopy(unit.bn)
        self.shortcut = _shortcut(unit.shortcut)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, F, T, V]."""
        mixed = [
            torch.einsum("nctv,vw->nctw", convolution(x_NCTV), partition_VW)
            for convolution, partition_VW in zip(self.convolutions, self.partitions, strict=True)
        ]
        return F.relu(self.bn(sum(mixed)) + self.shortcut(x_NCTV))


class PlainTemporal(nn.Module):
    """Temporal unit with six branches of separate modules."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        if not isinstance(unit, MultiScaleTemporalUnit):
            raise TypeError("the unit must be one of ST-GCN++")
        self.branches = nn.ModuleList()
        first = 0
        for end in (*unit.dilated, unit.pool):
            last = first + end.in_channels if isinstance(end, nn.Conv2d) else unit.entry.out_channels
            self.branches.append(nn.Sequential(*_entry(unit, first, last), copy.deepcopy(end)))
            first = last
        self.branches.append(copy.deepcopy(unit.pointwise))
        self.transform = nn.Sequential(
            copy.deepcopy(unit.branches_bn), nn.ReLU(), copy.deepcopy(unit.transform), copy.deepcopy(unit.bn)
        )

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, F, T, V] to [N, F, T / stride, V]."""
        out: Tensor = self.transform(torch.cat([branch(x_NCTV) for branch in self.branches], dim=1))
        return out


def _entry(unit: MultiScaleTemporalUnit, first: int, last: int) -> list[nn.Module]:
    """Return the first modules of a branch, cut out of the modules that all branches share."""
    rows = slice(first, last)
    norm = nn.BatchNorm2d(last - first)
    norm.load_state_dict(
        {name: each[rows] if each.ndim else each for name, each in unit.entry_bn.state_dict().items()}
    )
    state = unit.entry.state_dict()
    return [_pointwise(state["weight"][rows], state["bias"][rows]), norm, nn.ReLU()]


def _pointwise(weight_FC11: Tensor, bias_F: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight_FC11.shape[1], weight_FC11.shape[0], 1)
    convolution.load_state_dict({"weight": weight_FC11, "bias": bias_F})
    return convolution


def _shortcut(module: nn.Module) -> nn.Module:
    if isinstance(module, Projection):
        return nn.Sequential(copy.deepcopy(module.conv), copy.deepcopy(module.bn))
    return nn.Identity()
