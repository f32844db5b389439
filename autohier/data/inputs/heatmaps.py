"""Heatmap input: clips as maps of joints or limbs, rendered on the device from keypoints.

Legend: B clips, M persons, T frames, V joints or their maps, H W pixels of a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autohier.data.inputs.reading.heatmaps import HeatmapReading, Maps
from autohier.data.joint_layout import JointLayout
from autohier.data.transforms.limbs import limbs_of
from autohier.data.transforms.tensors.clip_random import ClipRandom
from autohier.data.transforms.tensors.heatmaps import joint_heatmaps, limb_heatmaps
from autohier.data.transforms.tensors.keypoints import (
    center_boxes,
    compact_boxes,
    map_into_boxes,
    mirror,
    random_crop_mirror,
)


@dataclass(frozen=True, slots=True)
class HeatmapInput(HeatmapReading):
    """One frame per segment and one map per joint or limb (PoseConv3D, CVPR 2022). Implements `ClipInput`.

    A clip is read as keypoints: float32 [M, T, V + 1, 3] with x, y in pixels and the score of every joint.
    The additional last joint holds the width and height of the image.
    """

    flip: bool = False

    def transform_train(self, clips: Tensor, random: ClipRandom) -> Tensor:
        """Render random parts of the people's box, half mirrored if ``flip``: float32 [B, V, T, H, W]."""
        keypoints, scores = _keypoints(clips)
        keypoints, scores = random_crop_mirror(
            keypoints,
            scores,
            compact_boxes(keypoints, scores, _image_sizes(clips)),
            layout=self.layout,
            width=self.size_px,
            height=self.size_px,
            flip=self.flip,
            random=random,
            min_area=self.min_area,
        )
        return self._render(keypoints, scores)

    def transform_eval(self, clips: Tensor, *, mirrored: bool = False) -> Tensor:
        """Render the middle of the people's box: float32 [B, V, T, H, W]."""
        keypoints, scores = _keypoints(clips)
        boxes_B4 = compact_boxes(keypoints, scores, _image_sizes(clips))
        boxes_B4 = center_boxes(boxes_B4, min_area=self.min_area)
        keypoints = map_into_boxes(keypoints, boxes_B4, width=self.size_px, height=self.size_px)
        if mirrored:
            every_B = torch.ones(len(clips), dtype=torch.bool, device=clips.device)
            keypoints, scores = mirror(keypoints, scores, every_B, layout=self.layout, width=self.size_px)
        return self._render(keypoints, scores)

    def _render(self, keypoints_BMTV2: Tensor, scores_BMTV: Tensor) -> Tensor:
        return render_maps(keypoints_BMTV2, scores_BMTV, self.layout, self.maps, size_px=self.size_px)


def render_maps(
    keypoints_BMTV2: Tensor, scores_BMTV: Tensor, layout: JointLayout, maps: Maps, *, size_px: int
) -> Tensor:
    """Render keypoints in pixels of the maps: float32 [B, V, T, H, W] with a map per joint or limb."""
    size = {"width": size_px, "height": size_px}
    if maps == "joints":
        return joint_heatmaps(keypoints_BMTV2, scores_BMTV, **size)
    return limb_heatmaps(keypoints_BMTV2, scores_BMTV, limbs_of(layout), **size)


def _keypoints(clips: Tensor) -> tuple[Tensor, Tensor]:
    return clips[:, :, :, :-1, :2], clips[:, :, :, :-1, 2]


def _image_sizes(clips: Tensor) -> Tensor:
    return clips[:, 0, 0, -1, :2]
