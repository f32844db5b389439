"""Spatial units whose partitions depend on the clip: those of CTR-GCN and AAGCN.

Their embeddings of joints have no norm, and a difference or product of two of them needs equal channels. They
are linear layers, which pruning leaves alone and whose outputs compaction keeps.

Legend: N clips times persons, C channels, E channels of an embedding, T frames, V joints gathered from,
W joints gathered to, P partitions of a joint's neighbors, R relations.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.models.gates import ChannelGate, Gate
from autohier.models.graphs.convolution import NeighborConvolution, TopologyConvolution
from autohier.models.graphs.units import Projection, Unit, shortcut, start_fan_out
from autohier.models.recognizer import PrunableFilters

_FEW_CHANNELS = 16
_NUM_FRAMES_SEEN = 9
_SMALL_GAMMA = 1e-6
"""Initial gamma of the norm behind a graph convolution, so that a unit starts as its shortcut."""


class ChannelwiseSpatialUnit(Unit):
    """Graph convolution of CTR-GCN (Chen et al. 2021): partitions refined for every clip and channel.

    Relations are ``tanh(theta_w - phi_v)`` of embeddings averaged over time. Unlike in the authors' code, x
    is averaged before it is embedded, which is the same up to rounding and needs a T-th of the multiply-adds.
    """

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        num_partitions, num_joints, _ = partitions_PVW.shape
        num_relations = 8 if num_read <= _FEW_CHANNELS else num_read // 8
        self.partitions = nn.Parameter(partitions_PVW.clone())
        self.strength = nn.Parameter(torch.zeros(1))
        self.embedding = nn.Linear(num_read, 2 * num_partitions * num_relations)
        self.conv = TopologyConvolution(num_read, num_written, num_partitions, num_joints, num_relations)
        self.bn = nn.BatchNorm2d(num_written)
        self.shortcut = shortcut(num_read, num_written, stride=1)
        _start_linear(self.embedding, std=math.sqrt(2 / num_relations))
        _start_spatial(self.bn, self.shortcut)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T, V]."""
        embedded = self.embedding(x_NCTV.mean(dim=2).transpose(1, 2))
        embedded = embedded.unflatten(2, (2, len(self.partitions), -1)).permute(2, 0, 3, 4, 1)
        to_NPRW, from_NPRV = embedded.unbind(0)
        relations_NPRVW = torch.tanh(to_NPRW[..., None, :] - from_NPRV[..., :, None])
        out = self.conv(x_NCTV, self.partitions, relations_NPRVW, self.strength)
        return F.relu(self.bn(out).add_(self.shortcut(x_NCTV)), inplace=True)

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the graph convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class AttentionSpatialUnit(Unit):
    """Graph convolution of AAGCN (Shi et al. 2020): partitions with attention, then attention to x.

    The attention between two joints is ``tanh`` of the mean product of their embeddings, over channels and
    time (tanh as in the authors' code and PYSKL; 2s-AGCN has a softmax). Attention to joints, to frames and
    to channels is then applied in sequence.
    """

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        num_partitions, num_joints, _ = partitions_PVW.shape
        num_embedded = num_written // 4
        self.partitions = nn.Parameter(partitions_PVW.clone())
        self.strength = nn.Parameter(torch.zeros(1))
        self.embedding = nn.Linear(num_read, 2 * num_partitions * num_embedded)
        self.conv = NeighborConvolution(num_read, num_written, num_partitions, num_joints, num_partitions)
        self.bn = nn.BatchNorm2d(num_written)
        self.shortcut = shortcut(num_read, num_written, stride=1)
        num_seen = num_joints - 1 + num_joints % 2
        self.joint_attention = nn.Conv1d(num_written, 1, num_seen, padding=num_seen // 2)
        self.frame_attention = nn.Conv1d(num_written, 1, _NUM_FRAMES_SEEN, padding=_NUM_FRAMES_SEEN // 2)
        self.squeeze = nn.Linear(num_written, num_written // 2)
        self.excite = ChannelGate(num_written // 2, num_written)
        self.gate = Gate()

        _start_linear(self.embedding, std=math.sqrt(2 / num_embedded))
        # The authors divide the variance by the filters, the channels and the partitions.
        nn.init.normal_(self.conv.weight, std=math.sqrt(2 / (num_written * num_read * num_partitions)))
        _start_spatial(self.bn, self.shortcut)
        nn.init.xavier_normal_(self.joint_attention.weight)
        _start_linear(self.squeeze, std=math.sqrt(2 / num_written))
        for layer in (self.frame_attention, self.excite):
            nn.init.zeros_(layer.weight)
        for layer in (self.joint_attention, self.frame_attention, self.excite):
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T, V]."""
        partitions_NPVW = self.partitions + self.strength * self._attention(x_NCTV)
        out = self.bn(self.conv(x_NCTV, partitions_NPVW)).add_(self.shortcut(x_NCTV))
        out = F.relu(out, inplace=True)
        out = self.gate(out, self.joint_attention(out.mean(dim=2))[:, :, None])
        out = self.gate(out, self.frame_attention(out.mean(dim=3))[..., None])
        hidden_NH = F.relu(self.squeeze(out.mean(dim=(2, 3))))
        scaled: Tensor = self.excite(hidden_NH, out)
        return scaled

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the graph convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]

    def _attention(self, x_NCTV: Tensor) -> Tensor:
        """Return the attention between joints, ``[N, P, V, W]``."""
        embedded = self.embedding(x_NCTV.permute(0, 2, 3, 1))
        embedded = embedded.unflatten(3, (2, len(self.partitions), -1)).permute(3, 0, 4, 2, 1, 5).flatten(4)
        from_NPVE, to_NPWE = embedded.unbind(0)
        products_NPVW: Tensor = from_NPVE @ to_NPWE.transpose(2, 3)
        return torch.tanh(products_NPVW / from_NPVE.shape[3])


def _start_linear(layer: nn.Linear, std: float) -> None:
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)


def _start_spatial(norm: nn.BatchNorm2d, around: nn.Module) -> None:
    nn.init.constant_(norm.weight, _SMALL_GAMMA)
    if isinstance(around, Projection):
        start_fan_out(around.conv, around.conv.out_channels)
