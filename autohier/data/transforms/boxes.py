"""Box around the people of a clip: one box for all frames, so that cropping adds no motion.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autohier.data.skeleton import Skeleton, present_joints
from autohier.errors import ClipError


class Box(NamedTuple):
    """A rectangle of whole pixels: columns left..right-1 and rows top..bottom-1."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int


def skeleton_box(skeleton: Skeleton, *, width_px: int, height_px: int, margin: float = 0.1) -> Box:
    """Return the box of all joints of all persons and frames, widened on each side, within the frame.

    HAC section 3.1 widens by 10% and does not say of what. Here it is 10% of the box's width on the left and
    right, and 10% of its height above and below.

    Args:
        skeleton: skeleton whose pixels refer to an image that may be larger or smaller than the video.
        width_px: width of the video.
        height_px: height of the video.
        margin: share of the box's size added on each side.

    Raises:
        ClipError: if no joint lies in the frame.
    """
    is_present_MTV = present_joints(skeleton.pixels_MTV2, skeleton.scores_MTV)
    # Flattened: a mask of several axes would cost an index array per axis.
    points_N2 = skeleton.pixels_MTV2.reshape(-1, 2)[is_present_MTV.ravel()]
    if len(points_N2) == 0:
        raise ClipError("a skeleton must have joints in its image")
    scale_2 = np.array([width_px / skeleton.image_width_px, height_px / skeleton.image_height_px])
    low_2, high_2 = points_N2.min(axis=0) * scale_2, points_N2.max(axis=0) * scale_2
    extra_2 = (high_2 - low_2) * margin
    frame_2 = (width_px, height_px)
    left, top = (int(value) for value in np.clip(np.floor(low_2 - extra_2), 0, frame_2))
    right, bottom = (int(value) for value in np.clip(np.ceil(high_2 + extra_2), 0, frame_2))
    if right - left < 2 or bottom - top < 2:
        raise ClipError("a skeleton must have joints in its image")
    return Box(left, top, right, bottom)


def whole_frame(width_px: int, height_px: int) -> Box:
    """Return the box of an uncropped frame."""
    return Box(0, 0, width_px, height_px)
