"""Reading of clips as keypoints, and heatmaps of their joints or limbs on arrays.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels of a map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.skeleton_frames import SkeletonFrames
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.arrays.heatmaps import joint_heatmaps, limb_heatmaps
from autohier.data.transforms.arrays.keypoints import center_boxes, compact_boxes, map_into_boxes, mirror
from autohier.data.transforms.limbs import limbs_of

Maps = Literal["joints", "limbs"]


def num_maps(layout: JointLayout, maps: Maps) -> int:
    """Return the number of channels of a clip's heatmaps."""
    return layout.num_joints if maps == "joints" else len(limbs_of(layout))


@dataclass(frozen=True, slots=True)
class HeatmapReading(SkeletonFrames):
    """One frame per segment and one map per joint or limb (PoseConv3D, CVPR 2022). Implements `ClipReading`.

    A clip is read as keypoints: float32 [M, T, V + 1, 3] with x, y in pixels and the score of every joint.
    The additional last joint holds the width and height of the image.
    """

    maps: Maps
    size_px: int
    min_area: float = 1.0

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[V, T, H, W]."""
        return (num_maps(self.layout, self.maps), self.num_frames, self.size_px, self.size_px)

    def eval_arrays(self, clips: NDArray[np.float32], *, mirrored: bool = False) -> NDArray[np.float32]:
        """Render the middle of the people's box: float32 [B, V, T, H, W]."""
        keypoints, scores = clips[:, :, :, :-1, :2], clips[:, :, :, :-1, 2]
        boxes_B4 = compact_boxes(keypoints, scores, clips[:, 0, 0, -1, :2])
        boxes_B4 = center_boxes(boxes_B4, min_area=self.min_area)
        keypoints = map_into_boxes(keypoints, boxes_B4, size_px=self.size_px)
        if mirrored:
            keypoints, scores = mirror(keypoints, scores, layout=self.layout, size_px=self.size_px)
        return render_arrays(keypoints, scores, self.layout, self.maps, size_px=self.size_px)

    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        num_joints = self.layout.num_joints
        clip = np.zeros((self.num_persons, self.num_frames, num_joints + 1, 3), dtype=np.float32)
        clip[:, :, -1, :2] = skeleton.image_width_px, skeleton.image_height_px
        if skeleton.num_frames:
            pixels_MTV2 = skeleton.pixels_MTV2[: self.num_persons, positions_T]
            num_read = len(pixels_MTV2)
            clip[:num_read, :, :-1, :2] = pixels_MTV2
            # Without scores, every joint with a position is present.
            clip[:num_read, :, :-1, 2] = (
                1 if skeleton.scores_MTV is None else skeleton.scores_MTV[: self.num_persons, positions_T]
            )
        return clip


def render_arrays(
    keypoints_BMTV2: NDArray[np.float32],
    scores_BMTV: NDArray[np.float32],
    layout: JointLayout,
    maps: Maps,
    *,
    size_px: int,
) -> NDArray[np.float32]:
    """Render keypoints in pixels of the maps: float32 [B, V, T, H, W] with a map per joint or limb."""
    clips = zip(keypoints_BMTV2, scores_BMTV, strict=True)
    if maps == "joints":
        return np.stack([joint_heatmaps(*clip, size_px=size_px) for clip in clips])
    limbs = limbs_of(layout)
    return np.stack([limb_heatmaps(*clip, limbs, size_px=size_px) for clip in clips])
