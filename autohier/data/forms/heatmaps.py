"""Heatmaps: clips as maps of joints or limbs, drawn on the device from keypoints and never kept.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels of a map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor

from autohier.data.forms.skeletons import SkeletonStore
from autohier.data.preprocessing.heatmaps import joint_heatmaps, limb_heatmaps, limbs_of
from autohier.data.preprocessing.keypoints import (
    compact_boxes,
    map_into_boxes,
    middle_boxes,
    random_crop_mirror,
)
from autohier.data.preprocessing.sampling import draw_positions, take_positions
from autohier.data.skeleton import JointLayout, Skeleton

Maps = Literal["joints", "limbs"]


def num_maps(layout: JointLayout, maps: Maps) -> int:
    """Channels of a clip's heatmaps."""
    return layout.num_joints if maps == "joints" else len(limbs_of(layout))


@dataclass(frozen=True, slots=True)
class HeatmapForm:
    """One frame of each equal part of a clip, a map for every joint or limb (PoseConv3D, CVPR 2022).

    Implements data.forms.form.ClipForm. What is read of a clip are its keypoints: float32 [M, T, V + 1, 3]
    with x, y in pixels and the score of every joint; at the end of the joints stand the width and the height
    of the image.
    """

    frees_interpreter: ClassVar[bool] = False

    store: SkeletonStore
    layout: JointLayout
    maps: Maps
    num_frames: int
    num_persons: int
    size_px: int
    min_area: float = 1.0
    flip: bool = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipForm.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[V, T, H, W]."""
        return (num_maps(self.layout, self.maps), self.num_frames, self.size_px, self.size_px)

    def draw(self, row: int, random: np.random.Generator) -> NDArray[np.float32]:
        """Keypoints of a random frame of every part."""
        skeleton = self.store.skeleton(row)
        num_kept_B = np.array([max(skeleton.num_frames, 1)])
        return self._read(skeleton, draw_positions(num_kept_B, self.num_frames, random)[0])

    def take(self, row: int, set_index: int, num_sets: int) -> NDArray[np.float32]:
        """Keypoints of the set's frames."""
        skeleton = self.store.skeleton(row)
        num_kept_B = np.array([max(skeleton.num_frames, 1)])
        return self._read(skeleton, take_positions(num_kept_B, self.num_frames, set_index, num_sets)[0])

    def augment(self, clips: Tensor, generator: Generator) -> Tensor:
        """Maps of random parts of the people's box, mirrored or not: float32 [B, V, T, H, W]."""
        keypoints, scores = _keypoints(clips)
        keypoints, scores = random_crop_mirror(
            keypoints,
            scores,
            compact_boxes(keypoints, scores, _image_sizes(clips)),
            layout=self.layout,
            width=self.size_px,
            height=self.size_px,
            flip=self.flip,
            generator=generator,
            min_area=self.min_area,
        )
        return self._maps(keypoints, scores)

    def present(self, clips: Tensor) -> Tensor:
        """Maps of the middle of the people's box: float32 [B, V, T, H, W]."""
        keypoints, scores = _keypoints(clips)
        boxes_B4 = compact_boxes(keypoints, scores, _image_sizes(clips))
        boxes_B4 = middle_boxes(boxes_B4, min_area=self.min_area)
        places = map_into_boxes(keypoints, boxes_B4, width=self.size_px, height=self.size_px)
        return self._maps(places, scores)

    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        num_joints = self.layout.num_joints
        clip = np.zeros((self.num_persons, self.num_frames, num_joints + 1, 3), dtype=np.float32)
        clip[:, :, -1, :2] = skeleton.image_width_px, skeleton.image_height_px
        if skeleton.num_frames:
            pixels_MTV2 = skeleton.pixels_MTV2[: self.num_persons, positions_T]
            num_read = len(pixels_MTV2)
            clip[:num_read, :, :-1, :2] = pixels_MTV2
            # Without scores every joint that has a place is there.
            clip[:num_read, :, :-1, 2] = (
                1 if skeleton.scores_MTV is None else skeleton.scores_MTV[: self.num_persons, positions_T]
            )
        return clip

    def _maps(self, keypoints_BMTV2: Tensor, scores_BMTV: Tensor) -> Tensor:
        size = {"width": self.size_px, "height": self.size_px}
        if self.maps == "joints":
            return joint_heatmaps(keypoints_BMTV2, scores_BMTV, **size)
        return limb_heatmaps(keypoints_BMTV2, scores_BMTV, limbs_of(self.layout), **size)


def _keypoints(clips: Tensor) -> tuple[Tensor, Tensor]:
    return clips[:, :, :, :-1, :2], clips[:, :, :, :-1, 2]


def _image_sizes(clips: Tensor) -> Tensor:
    return clips[:, 0, 0, -1, :2]
