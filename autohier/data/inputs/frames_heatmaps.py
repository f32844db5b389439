"""Frames with heatmaps of the same clip, for recognizers that read both.

Both show the same part of the stored picture: one crop and one mirror for both. PoseConv3D's authors crop
a square box around the people, which may leave the image; here it is the box that the frames were cropped to
when they were prepared, stretched to a square like them.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.frames import FrameInput, FrameStore
from autohier.data.inputs.heatmaps import Maps, num_maps, render_maps
from autohier.data.inputs.skeleton_frames import SkeletonStore
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import present_joints
from autohier.data.transforms.augmentation import (
    Crops,
    center_crops,
    crop_flip,
    normalize,
    sample_crops,
)
from autohier.data.transforms.clip_random import ClipRandom
from autohier.data.transforms.keypoints import map_into_boxes, mirror
from autohier.data.transforms.sampling import evaluation_positions, random_positions

FRAMES, HEATMAPS = "frames", "heatmaps"
"""Names of the parts."""


class PictureStore(FrameStore, SkeletonStore, Protocol):
    """Store of frames and skeletons that knows which part of the video the frames show."""

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """Return the crop of a clip: left, top, right, bottom in pixels of the source video."""

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Return width and height of the source video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesHeatmapsInput:
    """Clips as ``frames`` and ``heatmaps``. Implements `ClipInput`.

    The frames of each part are sampled on their own, from one random state for both. Keypoints are read as
    float32 [M, T, V, 3]: x, y as shares of the stored picture, NaN for absent joints, and the score.
    """

    frees_interpreter: ClassVar[bool] = True

    store: PictureStore
    frames: FrameInput
    layout: JointLayout
    maps: Maps
    num_map_frames: int
    num_persons: int
    map_px: int

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.frames.labels

    @property
    def clip_shape(self) -> dict[str, tuple[int, ...]]:
        """[C, T, H, W] of the frames and [V, T, H, W] of the heatmaps."""
        maps = (num_maps(self.layout, self.maps), self.num_map_frames, self.map_px, self.map_px)
        return {FRAMES: self.frames.clip_shape, HEATMAPS: maps}

    def read_train(self, row: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Read uint8 [T, H, W, C] at one random offset, and keypoints of a random frame per segment."""
        frames = self.frames.read_train(row, random)
        positions_BT = random_positions(self._num_kept(row), self.num_map_frames, random)
        return {FRAMES: frames, HEATMAPS: self._keypoints(row, positions_BT[0])}

    def read_eval(self, row: int, set_index: int, num_sets: int) -> dict[str, NDArray[Any]]:
        """Read the set's frames, and keypoints of the set's frames."""
        frames = self.frames.read_eval(row, set_index, num_sets)
        kept = self._num_kept(row)
        positions_BT = evaluation_positions(kept, self.num_map_frames, set_index, num_sets)
        return {FRAMES: frames, HEATMAPS: self._keypoints(row, positions_BT[0])}

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
        return {
            FRAMES: normalize(crop_flip(frames_BTHWC, crops, crop_px=self.frames.crop_px)),
            HEATMAPS: maps,
        }

    def _num_kept(self, row: int) -> NDArray[np.int64]:
        return np.array([max(self.store.skeleton(row).num_frames, 1)])

    def _keypoints(self, row: int, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        skeleton = self.store.skeleton(row)
        shape_MTV = (self.num_persons, self.num_map_frames, self.layout.num_joints)
        clip = np.full((*shape_MTV, 3), np.nan, dtype=np.float32)
        clip[..., 2] = 0
        if not skeleton.num_frames:
            return clip
        pixels_MTV2 = skeleton.pixels_MTV2[: self.num_persons, positions_T]
        scores_MTV = skeleton.scores_MTV
        scores_MTV = None if scores_MTV is None else scores_MTV[: self.num_persons, positions_T]
        present_MTV1 = present_joints(pixels_MTV2, scores_MTV)[..., None]
        own = clip[: len(pixels_MTV2)]
        own[..., :2] = np.where(present_MTV1, self._shares(row, pixels_MTV2), np.nan)
        own[..., 2:] = np.where(present_MTV1, 1 if scores_MTV is None else scores_MTV[..., None], 0)
        return clip

    def _shares(self, row: int, pixels_MTV2: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return places in the stored picture, whose corners are (0, 0) and (1, 1)."""
        skeleton = self.store.skeleton(row)
        left, top, right, bottom = self.store.box_px(row)
        image_2 = np.array((skeleton.image_width_px, skeleton.image_height_px))
        scale_2 = np.array(self.store.video_size_px(row)) / image_2
        places: NDArray[np.float32] = (pixels_MTV2 * scale_2 - (left, top)) / (right - left, bottom - top)
        return places
