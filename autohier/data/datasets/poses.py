"""Skeletons from the arrays in which PYSKL and MMAction2 keep poses.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import reprlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import COCO_17, KINECT_V1_20, KINECT_V2_25, JointLayout, Skeleton, shown_joints
from autohier.errors import ClipError

POSE_LAYOUTS: Final = {(17, 2): COCO_17, (25, 3): KINECT_V2_25, (20, 3): KINECT_V1_20}
"""What the joints are, by V and C: pixels where C is 2, metres where it is 3."""

_MAX_SIDE_PX = 2**31 - 1


def pose_channels(layout: JointLayout) -> int:
    """C of poses in a layout: 2 where they are found in images, 3 where they are measured."""
    return 2 if layout.planar else 3


def skeleton_of_poses(
    keypoint: object, scores: object, image_size_px: tuple[int, int] | None, layout: JointLayout
) -> Skeleton:
    """The skeleton that a clip's arrays describe, its numbers as they are.

    Absent is what `shown_joints` says, as PYSKL writes zeros for persons that a frame does not show. Persons
    come in the order of how many frames show them.

    Args:
        keypoint: numbers [M, T, V, C]; float64 is rounded to float32.
        scores: numbers [M, T, V] in 0..1; None where joints have none. What is not finite becomes 0.
        image_size_px: width and height of the image; None for the smallest that holds all pixels.
        layout: what the V joints are; C is `pose_channels` of it.

    Raises:
        ClipError: where an array is of another shape or not of numbers, or holds no joint that is somewhere.
    """
    shape_VC = (layout.num_joints, pose_channels(layout))
    values_MTVC = _numbers("keypoint", keypoint)
    if values_MTVC.ndim != 4 or values_MTVC.shape[2:] != shape_VC:
        raise ClipError(
            f"keypoint must have the shape (persons, frames, {shape_VC[0]}, {shape_VC[1]})",
            got=values_MTVC.shape,
        )
    if values_MTVC.shape[1] == 0:
        raise ClipError("keypoint must hold a frame")
    is_shown_MTV = shown_joints(values_MTVC)
    if not is_shown_MTV.any():
        raise ClipError("a skeleton must hold a body")
    scores_MTV = None if scores is None else _scores(scores, values_MTVC.shape[:3])
    np.copyto(values_MTVC, np.nan, where=~is_shown_MTV[..., None])
    order_M = np.argsort(-is_shown_MTV.any(axis=2).sum(axis=1), kind="stable")
    if (np.diff(order_M) < 0).any():
        values_MTVC = values_MTVC[order_M]
        scores_MTV = None if scores_MTV is None else scores_MTV[order_M]
    absent_MTVC = np.full((*values_MTVC.shape[:3], 5 - shape_VC[1]), np.nan, dtype=np.float32)
    pixels_MTV2, joints_MTV3_m = (
        (values_MTVC, absent_MTVC) if shape_VC[1] == 2 else (absent_MTVC, values_MTVC)
    )
    width_px, height_px = image_size_px or _smallest_image(pixels_MTV2)
    return Skeleton(
        joints_MTV3_m=joints_MTV3_m,
        pixels_MTV2=pixels_MTV2,
        image_width_px=width_px,
        image_height_px=height_px,
        layout=layout.name,
        scores_MTV=scores_MTV,
    )


def image_size(shape: object) -> tuple[int, int]:
    """Width and height from an ``img_shape``, which is (height, width), channels perhaps behind them.

    Raises:
        ClipError: where it is anything else.
    """
    sides = shape.tolist() if isinstance(shape, np.ndarray) else shape
    if isinstance(sides, tuple | list) and len(sides) in {2, 3}:
        height, width = sides[:2]
        if (
            type(height) is type(width) is int
            and 0 < min(height, width) <= max(height, width) <= _MAX_SIDE_PX
        ):
            return width, height
    raise ClipError("img_shape must be a height and a width in pixels", got=reprlib.repr(shape))


def _scores(scores: object, shape_MTV: tuple[int, ...]) -> NDArray[np.float32]:
    scores_MTV = _numbers("keypoint_score", scores)
    if scores_MTV.shape != shape_MTV:
        raise ClipError(
            "keypoint_score must have the shape of its keypoint", got=f"{scores_MTV.shape}, not {shape_MTV}"
        )
    return np.nan_to_num(scores_MTV, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _numbers(name: str, values: object) -> NDArray[np.float32]:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise ClipError(f"{name} must be an array of numbers", got=kind)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and so absent
        numbers: NDArray[np.float32] = values.astype(np.float32)
    return numbers


def _smallest_image(pixels_MTV2: NDArray[Any]) -> tuple[int, int]:
    points_N2 = pixels_MTV2[np.isfinite(pixels_MTV2).all(axis=-1)]
    if len(points_N2) == 0:
        return 0, 0
    width, height = np.clip(np.floor(points_N2.max(axis=0)) + 1, 1, 2**30).astype(int).tolist()
    return width, height
