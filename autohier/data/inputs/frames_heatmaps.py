"""Frames with heatmaps of the same clip, for recognizers that read both.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.heatmaps import render_maps
from autohier.data.inputs.reading.frames_heatmaps import FRAMES, HEATMAPS, FramesHeatmapsReading
from autohier.data.inputs.reading.skeleton_frames import num_kept
from autohier.data.transforms.joint_drop import drop_joints
from autohier.data.transforms.sampling import random_positions
from autohier.data.transforms.tensors.augmentation import (
    Crops,
    center_crops,
    crop_flip,
    normalize,
    sample_crops,
)
from autohier.data.transforms.tensors.clip_random import ClipRandom
from autohier.data.transforms.tensors.keypoints import map_into_boxes, mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesHeatmapsInput(FramesHeatmapsReading):
    """Clips as ``frames`` and ``heatmaps``, with one crop and one mirror. Implements `ClipInput`."""

    frames: FrameInput
    frame_joint_drop: float = 0.0
    """Probability with which each frame of a training clip loses a joint; see data.transforms.joint_drop."""

    def read_train(self, row: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Read uint8 [T, H, W, C] at one random offset, and keypoints of a random frame per segment."""
        frames = self.frames.read_train(row, random)
        skeleton = self.store.skeleton(row)
        positions_BT = random_positions(num_kept(skeleton), self.num_map_frames, random)
        if self.frame_joint_drop:
            skeleton = drop_joints(skeleton, self.frame_joint_drop, random)
        return {FRAMES: frames, HEATMAPS: self._keypoints(row, skeleton, positions_BT[0])}

    def transform_train(self, clips: dict[str, Tensor], random: ClipRandom) -> dict[str, Tensor]:
        """Return random crops, half of them mirrored if the frames are: float32 [B, C, T, H, W] by name."""
        own = self.frames
        size = tuple(clips[FRAMES].shape[2:4])
        crops = sample_crops(size, crop_px=own.crop_px, flip=own.flip, random=random, min_scale=own.min_scale)
        return self._cropped(clips, crops)

    def transform_eval(self, clips: dict[str, Tensor], *, mirrored: bool = False) -> dict[str, Tensor]:
        """Return center crops: float32 [B, C, T, H, W] by name."""
        num_clips, _, height, width, _ = clips[FRAMES].shape
        crops = center_crops((height, width), num_clips, crop_px=self.frames.crop_px, mirrored=mirrored)
        return self._cropped(clips, crops)

    def _cropped(self, clips: dict[str, Tensor], crops: Crops) -> dict[str, Tensor]:
        frames_BTHWC = clips[FRAMES]
        height, width = frames_BTHWC.shape[2:4]
        shares_BMTV2, scores_BMTV = clips[HEATMAPS][..., :2], clips[HEATMAPS][..., 2]
        keypoints_BMTV2 = shares_BMTV2 * shares_BMTV2.new_tensor((width, height))
        keypoints_BMTV2 = map_into_boxes(
            keypoints_BMTV2,
            crops.boxes_B4.to(keypoints_BMTV2),
            width=self.map_px,
            height=self.map_px,
        )
        keypoints_BMTV2, scores_BMTV = mirror(
            keypoints_BMTV2,
            scores_BMTV,
            crops.mirrored_B.to(keypoints_BMTV2.device),
            layout=self.layout,
            width=self.map_px,
        )
        maps = render_maps(keypoints_BMTV2, scores_BMTV, self.layout, self.maps, size_px=self.map_px)
        cropped_BTHWC = crop_flip(frames_BTHWC, crops, crop_px=self.frames.crop_px)
        return {
            FRAMES: normalize(cropped_BTHWC, scale=self.frames.pixel_scale),
            HEATMAPS: maps,
        }
