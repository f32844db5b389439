"""RGBPose-Conv3D: SlowOnly on frames and PoseConv3D on heatmaps, which exchange features (CVPR 2022).

Lateral connections pass features from each pathway to the other at two points: after the second stack on
frames and the first on heatmaps, and after the third and the second. Both directions read the features before
either pathway has joined the other's. A pathway reads them behind its own channels.

Legend: B clips, C channels, T frames, V maps, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autohier.errors import InputError
from autohier.models.convolutional.inflated_resnet import STEM_CHANNELS
from autohier.models.convolutional.pathway import ResidualPathway, StackShape, StemShape, pooled
from autohier.models.convolutional.pose_conv3d import BASE_CHANNELS, NUM_BLOCKS
from autohier.models.convolutional.residual import (
    FactoredBottleneck,
    FrameBottleneck,
    Initialisation,
    check_options,
    scaled_channels,
    start_convolutions,
)
from autohier.models.convolutional.slow_fast import SLOW_BLOCKS, pathway_stacks
from autohier.models.recognizer import Pathway, PrunableFilters, Recognizer

Laterals = Literal["both", "rgb-to-pose", "pose-to-rgb", "none"]

LATERAL_FRAMES: Final = 7
"""Frames of heatmaps that a kernel of a lateral connection spans."""
_POSE_BLOCKS: Final = (FrameBottleneck, FactoredBottleneck, FactoredBottleneck)
_POSE_CHANNELS: Final = tuple(BASE_CHANNELS * times for times in (1, 2, 4))
_NUM_POINTS: Final = 2
_FIRST_RGB_STACK, _FIRST_POSE_STACK = 2, 1
"""Index of the first stack of each pathway that reads a lateral connection."""


class RgbPose(Recognizer):
    """Network on frames [B, C, T, H, W] and heatmaps [B, V, rT, H/4, W/4], in two pathways of 4 and 3 stacks.

    Stacks have 256, 512, 1024 and 2048 channels in pathway rgb and 128, 256 and 512 in pathway pose at width
    1. The lateral connections to rgb have neither norm nor activation, so their filters are not pruned.

    Args:
        width: factor of every channel count; see `scaled_channels`.
        in_channels: C.
        num_maps: V, one map per joint or limb.
        initialisation: initialization of the convolutions; see `Initialisation`.
        laterals: directions in which the pathways exchange features.
        frame_ratio: r, frames of heatmaps for each video frame.
        loss_weights: weights of the cross-entropies of rgb and pose.
        prediction_weights: weights of the probabilities of rgb and pose.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        in_channels: int = 3,
        num_maps: int = 17,
        initialisation: Initialisation = "fan-in",
        laterals: Laterals = "both",
        frame_ratio: int = 4,
        loss_weights: Sequence[float] = (1.0, 1.0),
        prediction_weights: Sequence[float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        check_options(width, in_channels, initialisation)
        if laterals not in get_args(Laterals):
            raise InputError(f"laterals must be one of {', '.join(get_args(Laterals))}", got=repr(laterals))
        if min(frame_ratio, num_maps) < 1:
            raise InputError("frame_ratio and num_maps must be at least 1", got=(frame_ratio, num_maps))
        self.frame_ratio = frame_ratio
        to_rgb, to_pose = laterals in {"both", "pose-to-rgb"}, laterals in {"both", "rgb-to-pose"}
        pose_channels = [scaled_channels(channels, width) for channels in _POSE_CHANNELS]
        # At each point, rgb reads all channels of pose, and pose a sixteenth of rgb's.
        sent_to_rgb = [FactoredBottleneck.expansion * channels for channels in pose_channels[:_NUM_POINTS]]
        sent_to_pose = pose_channels[:_NUM_POINTS]
        self.rgb = _rgb_pathway(in_channels, width, sent_to_rgb if to_rgb else [0] * _NUM_POINTS)
        self.pose = _pose_pathway(num_maps, pose_channels, sent_to_pose if to_pose else [0] * _NUM_POINTS)
        self.pose_to_rgb = nn.ModuleList(_to_rgb(channels, frame_ratio) for channels in sent_to_rgb if to_rgb)
        rgb_channels = self.rgb.stack_channels[_FIRST_RGB_STACK - 1 :]
        self.rgb_to_pose = nn.ModuleList(
            _ToPose(num_read, num_written, frame_ratio)
            for num_read, num_written in zip(rgb_channels, sent_to_pose, strict=False)
            if to_pose
        )
        self.stack_channels = (*self.rgb.stack_channels, *self.pose.stack_channels)
        weights = zip(loss_weights, prediction_weights, strict=True)
        numbers = (len(self.rgb.stack_channels), len(self.pose.stack_channels))
        self._pathways = tuple(
            Pathway(name, number, *own)
            for name, number, own in zip(("rgb", "pose"), numbers, weights, strict=True)
        )
        start_convolutions(self, initialisation)

    def pathways(self) -> tuple[Pathway, ...]:
        """Return rgb and pose."""
        return self._pathways

    def forward_stacks(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """Return each stack's output, averaged over frames and pixels: those of rgb, then those of pose."""
        frames_BCTHW, maps_BVTHW = batch["frames"], batch["heatmaps"]
        self._check_frames(frames_BCTHW, maps_BVTHW)
        rgb_BCTHW, pose_BCTHW = self.rgb.stem(frames_BCTHW), self.pose.stem(maps_BVTHW)
        rgb, pose = [], []
        for stack in self.rgb.stacks[:_FIRST_RGB_STACK]:
            rgb_BCTHW = stack(rgb_BCTHW)
            rgb.append(pooled(rgb_BCTHW))
        for stack in self.pose.stacks[:_FIRST_POSE_STACK]:
            pose_BCTHW = stack(pose_BCTHW)
            pose.append(pooled(pose_BCTHW))
        next_stacks = zip(
            self.rgb.stacks[_FIRST_RGB_STACK:], self.pose.stacks[_FIRST_POSE_STACK:], strict=True
        )
        for point, (rgb_stack, pose_stack) in enumerate(next_stacks):
            joined = self._join(rgb_BCTHW, pose_BCTHW, point)
            rgb_BCTHW, pose_BCTHW = rgb_stack(joined[0]), pose_stack(joined[1])
            rgb.append(pooled(rgb_BCTHW))
            pose.append(pooled(pose_BCTHW))
        return [*rgb, *pose]

    def _join(self, rgb_BCTHW: Tensor, pose_BCTHW: Tensor, point: int) -> tuple[Tensor, Tensor]:
        """Return what the next stacks read: the features of their own pathway, then those of the other."""
        for_rgb, for_pose = [rgb_BCTHW], [pose_BCTHW]
        if self.pose_to_rgb:
            for_rgb.append(self.pose_to_rgb[point](pose_BCTHW))
        if self.rgb_to_pose:
            for_pose.append(self.rgb_to_pose[point](rgb_BCTHW))
        return torch.cat(for_rgb, dim=1), torch.cat(for_pose, dim=1)

    def _check_frames(self, frames_BCTHW: Tensor, maps_BVTHW: Tensor) -> None:
        num_frames, num_map_frames = frames_BCTHW.shape[2], maps_BVTHW.shape[2]
        if (self.pose_to_rgb or self.rgb_to_pose) and num_map_frames != self.frame_ratio * num_frames:
            raise InputError(
                f"heatmaps must have {self.frame_ratio} times the frames of the video, or laterals be 'none'",
                got=f"{num_map_frames} for {num_frames}",
            )

    def prunable_filters(self) -> list[PrunableFilters]:
        """Return the filters of the stacks of rgb and of pose, then of the lateral connections to pose."""
        own = [
            PrunableFilters(f"{name}.{each.name}", each.convolution, each.norm)
            for name, pathway in (("rgb", self.rgb), ("pose", self.pose))
            for each in pathway.prunable_filters()
        ]
        laterals = [
            PrunableFilters(f"rgb_to_pose.{point}.convolution", lateral.convolution, lateral.norm)
            for point, lateral in enumerate(self.rgb_to_pose)
            if isinstance(lateral, _ToPose)
        ]
        return own + laterals

    def data_tensors(self) -> frozenset[str]:
        """Return the names of the stems' convolutions, which read the channels of a frame, or the maps."""
        return frozenset({"rgb.conv1.weight", "pose.conv1.weight"})


def _rgb_pathway(in_channels: int, width: float, joined: Sequence[int]) -> ResidualPathway:
    stem = StemShape(scaled_channels(STEM_CHANNELS, width))
    stacks = pathway_stacks(SLOW_BLOCKS, width, [0] * _FIRST_RGB_STACK + [*joined])
    return ResidualPathway(in_channels, stem, stacks)


def _pose_pathway(num_maps: int, channels: Sequence[int], joined: Sequence[int]) -> ResidualPathway:
    stem = StemShape(channels[0], stride=1, pool_stride=1)
    shapes = zip(_POSE_BLOCKS, NUM_BLOCKS, channels, [0] * _FIRST_POSE_STACK + [*joined], strict=True)
    stacks = [
        StackShape(block, number, num_inner, num_joined=num_joined)
        for block, number, num_inner, num_joined in shapes
    ]
    return ResidualPathway(num_maps, stem, stacks)


def _to_rgb(num_channels: int, frame_ratio: int) -> nn.Conv3d:
    return nn.Conv3d(
        num_channels,
        num_channels,
        (LATERAL_FRAMES, 1, 1),
        stride=(frame_ratio, 1, 1),
        padding=(LATERAL_FRAMES // 2, 0, 0),
        bias=False,
    )


class _ToPose(nn.Module):
    """Lateral connection from rgb to pose, with a norm and an activation; it writes r frames for each."""

    def __init__(self, num_read: int, num_written: int, frame_ratio: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose3d(
            num_read,
            num_written,
            (LATERAL_FRAMES, 1, 1),
            stride=(frame_ratio, 1, 1),
            padding=(LATERAL_FRAMES // 2, 0, 0),
            output_padding=(frame_ratio - 1, 0, 0),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(num_written)
        # On average, a frame is written through one in r of the kernel's frames.
        num_terms = num_read * LATERAL_FRAMES / frame_ratio
        nn.init.normal_(self.convolution.weight, std=math.sqrt(2 / num_terms))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Map [B, C, T, H, W] to [B, num_written, rT, H, W]."""
        return F.relu(self.norm(self.convolution(x_BCTHW)), inplace=True)
