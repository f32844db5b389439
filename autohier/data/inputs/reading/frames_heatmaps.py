"""Reading of frames with heatmaps of the same clip, for recognizers that read both.

Both show the same part of the stored picture: one crop and one mirror for both. PoseConv3D's authors crop
a square box around the people, which may leave the image; here it is the box that the frames were cropped to
when they were prepared, stretched to a square like them.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.frames import FrameReading
from autohier.data.inputs.reading.heatmaps import Maps, num_maps, render_arrays
from autohier.data.inputs.reading.skeleton_frames import num_kept
from autohier.data.inputs.stores import PictureStore
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton, present_joints
from autohier.data.transforms.arrays.frames import center_corner
from autohier.data.transforms.arrays.keypoints import map_into_boxes, mirror
from autohier.data.transforms.sampling import evaluation_positions

FRAMES: Final = "frames"
HEATMAPS: Final = "heatmaps"
"""Names of the parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesHeatmapsReading:
    """Clips as ``frames`` and ``heatmaps``. Implements `ClipReading`.

    The frames of each part are sampled on their own, from one random state for both. Keypoints are read as
    float32 [M, T, V, 3]: x, y as shares of the stored picture, NaN for absent joints, and the score.
    """

    frees_interpreter: ClassVar[bool] = True

    store: PictureStore
    frames: FrameReading
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

    def read_eval(self, row: int, set_index: int, num_sets: int) -> dict[str, NDArray[Any]]:
        """Read the set's frames, and keypoints of the set's frames."""
        frames = self.frames.read_eval(row, set_index, num_sets)
        skeleton = self.store.skeleton(row)
        positions_BT = evaluation_positions(num_kept(skeleton), self.num_map_frames, set_index, num_sets)
        return {FRAMES: frames, HEATMAPS: self._keypoints(row, skeleton, positions_BT[0])}

    def eval_arrays(
        self, clips: dict[str, NDArray[Any]], *, mirrored: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """Return center crops: float32 [B, C, T, H, W] by name."""
        num_clips, _, height, width, _ = clips[FRAMES].shape
        crop_px = self.frames.crop_px
        top, left = center_corner(height, width, crop_px=crop_px)
        box_4 = np.array([left, top, left + crop_px, top + crop_px], dtype=np.float32)
        shares_BMTV2, scores_BMTV = clips[HEATMAPS][..., :2], clips[HEATMAPS][..., 2]
        keypoints_BMTV2 = shares_BMTV2 * np.array((width, height), dtype=np.float32)
        keypoints_BMTV2 = map_into_boxes(keypoints_BMTV2, np.tile(box_4, (num_clips, 1)), size_px=self.map_px)
        if mirrored:
            keypoints_BMTV2, scores_BMTV = mirror(
                keypoints_BMTV2, scores_BMTV, layout=self.layout, size_px=self.map_px
            )
        maps = render_arrays(keypoints_BMTV2, scores_BMTV, self.layout, self.maps, size_px=self.map_px)
        return {FRAMES: self.frames.eval_arrays(clips[FRAMES], mirrored=mirrored), HEATMAPS: maps}

    def _keypoints(self, row: int, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
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
        own[..., :2] = np.where(present_MTV1, self._shares(row, skeleton, pixels_MTV2), np.nan)
        own[..., 2:] = np.where(present_MTV1, 1 if scores_MTV is None else scores_MTV[..., None], 0)
        return clip

    def _shares(self, row: int, skeleton: Skeleton, pixels_MTV2: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return places in the stored picture, whose corners are (0, 0) and (1, 1)."""
        left, top, right, bottom = self.store.box_px(row)
        image_2 = np.array((skeleton.image_width_px, skeleton.image_height_px))
        scale_2 = np.array(self.store.video_size_px(row)) / image_2
        places: NDArray[np.float32] = (pixels_MTV2 * scale_2 - (left, top)) / (right - left, bottom - top)
        return places
