"""MS-G3D: graph convolutions over many distances, in single frames and across windows of frames.

Liu et al., "Disentangling and Unifying Graph Convolutions for Skeleton-Based Action Recognition" (CVPR 2020).
Its concatenated scales are the partitions of one graph convolution, so that a filter over all scales is one
filter with a norm behind it, which is pruned like any other.

Legend: B clips, M persons, N = B M, T frames, V joints, C channels, P scales, S frames of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.data.joint_layout import JointLayout
from autohier.errors import InputError
from autohier.models.convolutional.residual import check_options, scaled_channels
from autohier.models.graphs.block_network import (
    GraphRecognizer,
    as_partitions,
    joint_norm,
    normed_persons,
    pooled_persons,
)
from autohier.models.graphs.branches import ResidualTemporalUnit
from autohier.models.graphs.convolution import NeighborConvolution
from autohier.models.graphs.joint_graph import find_layout, hop_partitions, hops_between, hops_in_window
from autohier.models.graphs.units import Unit
from autohier.models.recognizer import PrunableFilters

STAGE_CHANNELS = (96, 192, 384)
STAGE_STRIDES = (1, 2, 2)
_LARGEST_OFFSET = 1e-6


class ScalesUnit(Unit):
    """Graph convolution over the joints at each distance, with learned offsets of the weights (eq. 4)."""

    partitions: Tensor

    def __init__(self, num_read: int, num_written: int, partitions_PVW: Tensor) -> None:
        super().__init__()
        # Not stored with the weights, as they follow from the layout.
        self.register_buffer("partitions", partitions_PVW.clone(), persistent=False)
        self.offset = nn.Parameter(torch.empty_like(partitions_PVW))
        nn.init.uniform_(self.offset, -_LARGEST_OFFSET, _LARGEST_OFFSET)
        self.conv = NeighborConvolution(num_read, num_written, *partitions_PVW.shape[:2])
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T, V]."""
        return F.relu(self.bn(self.conv(x_NCTV, self.partitions + self.offset)), inplace=True)

    def filters(self) -> list[PrunableFilters]:
        """Return the filters over all scales."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class CollapseUnit(Unit):
    """Convolution that turns each window of frames into one frame."""

    def __init__(self, num_read: int, num_written: int, num_frames_seen: int) -> None:
        super().__init__()
        # The frames of all windows follow each other, so that the stride leads to the next window.
        self.conv = nn.Conv2d(num_read, num_written, (num_frames_seen, 1), stride=(num_frames_seen, 1))
        self.bn = nn.BatchNorm2d(num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, S T, V] to [N, num_written, T, V]."""
        out: Tensor = self.bn(self.conv(x_NCTV))
        return out

    def filters(self) -> list[PrunableFilters]:
        """Return the filters of the convolution."""
        return [PrunableFilters("conv", self.conv, self.bn)]


class WindowPath(nn.Module):
    """Graph convolution over windows of frames, then a convolution that turns each window into one frame.

    Frames before the first and after the last are zeros (G3D, section 4.2).

    Args:
        num_read: C read.
        num_inner: channels of the graph convolution.
        num_written: C written.
        partitions_PVW: partitions of the S V joints of a window.
        num_frames_seen: S, odd.
        stride: frames between the centers of two windows.
    """

    def __init__(
        self,
        num_read: int,
        num_inner: int,
        num_written: int,
        partitions_PVW: Tensor,
        *,
        num_frames_seen: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.num_frames_seen = num_frames_seen
        self.stride = stride
        self.scales = ScalesUnit(num_read, num_inner, partitions_PVW)
        self.collapse = CollapseUnit(num_inner, num_written, num_frames_seen)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T / stride, V]."""
        num_joints, reach = x_NCTV.shape[3], self.num_frames_seen // 2
        padded = F.pad(x_NCTV, (0, 0, reach, reach))
        windows = padded.unfold(2, self.num_frames_seen, self.stride).transpose(3, 4).flatten(3)
        mixed = self.scales(windows)
        out: Tensor = self.collapse(mixed.reshape(*mixed.shape[:2], -1, num_joints))
        return out


class _Graph:
    """Partitions of the joints of a frame, and of those of windows by their length."""

    def __init__(
        self, joints: JointLayout, num_scales: int, num_window_scales: int, windows: Sequence[int]
    ) -> None:
        self.scales_PVW = as_partitions(hop_partitions(hops_between(joints), num_scales))
        self.windows_PVW = {
            num_frames: as_partitions(hop_partitions(hops_in_window(joints, num_frames), num_window_scales))
            for num_frames in windows
        }


class Stage(nn.Module):
    """Spatial and temporal convolutions plus convolutions of windows, then temporal convolutions."""

    def __init__(self, num_read: int, num_inner: int, num_written: int, stride: int, graph: _Graph) -> None:
        super().__init__()
        self.factorised = nn.Sequential(
            ScalesUnit(num_read, num_inner, graph.scales_PVW),
            ResidualTemporalUnit(num_inner, num_written, stride),
            ResidualTemporalUnit(num_written, num_written, rectify=False),
        )
        self.windows = nn.ModuleList(
            WindowPath(
                num_read, num_inner, num_written, partitions_PVW, num_frames_seen=num_frames, stride=stride
            )
            for num_frames, partitions_PVW in graph.windows_PVW.items()
        )
        self.temporal = ResidualTemporalUnit(num_written, num_written)

    def forward(self, x_NCTV: Tensor) -> Tensor:
        """Map [N, C, T, V] to [N, num_written, T / stride, V]."""
        out = self.factorised(x_NCTV)
        for window in self.windows:
            out = out + window(x_NCTV)
        temporal: Tensor = self.temporal(F.relu(out, inplace=True))
        return temporal


class MsG3d(GraphRecognizer):
    """Network on skeletons, float [B, M, T, V, C]; stacks of 96, 192 and 384 channels at width 1.

    Args:
        layout: name of the `JointLayout` of the V joints.
        num_persons: M.
        in_channels: C.
        width: factor of every channel count; see `scaled_channels`.
        num_scales: distances of the graph convolutions in single frames, 0 to this number minus one bones.
        num_window_scales: the same across the frames of a window.
        windows: lengths of the windows in frames, odd.

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
        num_scales: int = 13,
        num_window_scales: int = 6,
        windows: Sequence[int] = (3, 5),
    ) -> None:
        super().__init__()
        check_options(width, in_channels)
        for name, number in (("num_scales", num_scales), ("num_window_scales", num_window_scales)):
            if number < 1:
                raise InputError(f"{name} must be at least 1", got=number)
        if len(set(windows)) != len(windows) or any(each < 1 or each % 2 == 0 for each in windows):
            raise InputError("windows must be different odd numbers", got=tuple(windows), hint="write (3, 5)")
        joints = find_layout(layout)
        graph = _Graph(joints, num_scales, num_window_scales, windows)
        self._num_persons = num_persons
        self.data_bn = joint_norm(joints, in_channels, num_persons)
        self.stack_channels = tuple(scaled_channels(channels, width) for channels in STAGE_CHANNELS)
        self.stages = nn.ModuleList()
        num_read = in_channels
        for index, (num_written, stride) in enumerate(zip(self.stack_channels, STAGE_STRIDES, strict=True)):
            # The first stage widens at once, the others behind their graph convolutions.
            num_inner = num_read if index else num_written
            self.stages.append(Stage(num_read, num_inner, num_written, stride, graph))
            num_read = num_written

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        """Return each stage's output, averaged over frames, joints and persons: three features [B, C_l].

        Absent persons are zeros and count in the average, as in the authors' code.
        """
        x_NCTV = normed_persons(self.data_bn, batch, self._num_persons)
        features = []
        for stage in self.stages:
            x_NCTV = stage(x_NCTV)
            features.append(pooled_persons(x_NCTV, batch))
        return features

    def stored_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Move the graph of another package, ``partitions`` of a unit, into the offsets from the own graph.

        Weights of other joints keep their offsets, which `data_tensors` leaves out.
        """
        stored = dict(tensors)
        for path, unit in self.named_modules():
            name, offset_name = f"{path}.partitions", f"{path}.offset"
            if not isinstance(unit, ScalesUnit) or name not in stored or offset_name not in stored:
                continue
            graph_PVW, offset_PVW = stored[name], stored[offset_name]
            if graph_PVW.shape == offset_PVW.shape:
                del stored[name]
                if graph_PVW.shape == unit.offset.shape:
                    stored[offset_name] = offset_PVW + (graph_PVW - unit.partitions)
        return stored
