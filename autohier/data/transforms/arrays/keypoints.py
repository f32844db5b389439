"""Boxes around people and keypoints in them, on arrays; see `autohier.data.transforms.tensors.keypoints`.

Legend: B clips, M persons (at least 1), T frames, V joints. A box is (left, top, right, bottom) in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import present_joints
from autohier.data.transforms.constants import MIN_SIDE_PX, PADDING, center_side
from autohier.data.transforms.skeletons import mirrored_joints


def compact_boxes(
    keypoints_BMTV2: NDArray[np.float32],
    scores_BMTV: NDArray[np.float32],
    image_sizes_B2: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return one square around all joints of all persons and frames of each clip: float32 [B, 4].

    A clip of few pixels, or without joints, gets the whole image.
    """
    absent_BMTV1 = ~present_joints(keypoints_BMTV2, scores_BMTV)[..., None]
    low_B2 = np.where(absent_BMTV1, np.float32(np.inf), keypoints_BMTV2).min(axis=(1, 2, 3))
    high_B2 = np.where(absent_BMTV1, np.float32(-np.inf), keypoints_BMTV2).max(axis=(1, 2, 3))
    images_B4 = np.concatenate([np.zeros_like(image_sizes_B2), image_sizes_B2], axis=1)
    with np.errstate(invalid="ignore"):  # a clip without joints has an infinite box, which is not used
        extent_B2 = high_B2 - low_B2
        center_B2 = (low_B2 + high_B2) / 2
        half_B1 = extent_B2.max(axis=1, keepdims=True) * np.float32(1 + PADDING) / 2
        boxes_B4 = np.concatenate([center_B2 - half_B1, center_B2 + half_B1], axis=1)
        return np.where((extent_B2 < MIN_SIDE_PX).any(axis=1, keepdims=True), images_B4, boxes_B4)


def center_boxes(boxes_B4: NDArray[np.float32], *, min_area: float) -> NDArray[np.float32]:
    """Return the middle of each box, at the mean size of training's crops: float32 [B, 4]."""
    center_B2 = (boxes_B4[:, :2] + boxes_B4[:, 2:]) / 2
    half_B2 = (boxes_B4[:, 2:] - boxes_B4[:, :2]) * np.float32(center_side(min_area)) / 2
    return np.concatenate([center_B2 - half_B2, center_B2 + half_B2], axis=1)


def map_into_boxes(
    keypoints_BMTV2: NDArray[np.float32], boxes_B4: NDArray[np.float32], *, size_px: int
) -> NDArray[np.float32]:
    """Map keypoints into square maps of the boxes; absent joints become NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an image of unknown size has no joints
        scale_B2 = np.float32(size_px) / (boxes_B4[:, 2:] - boxes_B4[:, :2])
        moved_BMTV2 = keypoints_BMTV2 - boxes_B4[:, None, None, None, :2]
        mapped_BMTV2 = moved_BMTV2 * scale_B2[:, None, None, None]
    return np.where(present_joints(keypoints_BMTV2)[..., None], mapped_BMTV2, np.float32(np.nan))


def mirror(
    keypoints_BMTV2: NDArray[np.float32],
    scores_BMTV: NDArray[np.float32],
    *,
    layout: JointLayout,
    size_px: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mirror all clips at the middle column of their maps and swap left and right joints."""
    joints = mirrored_joints(layout)
    other_BMTV2 = keypoints_BMTV2[..., joints, :]
    other_BMTV2[..., 0] = size_px - other_BMTV2[..., 0]
    return other_BMTV2, scores_BMTV[..., joints]
