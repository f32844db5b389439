"""Conversion of pose arrays of PYSKL and MMAction2 to skeletons.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import is_shipped
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.skeleton import (
    COCO_17,
    KINECT_V1_20,
    KINECT_V2_25,
    LAYOUTS,
    MIN_SCORE,
    NAMED_LAYOUTS,
    Skeleton,
    present_joints,
)
from autohier.errors import ClipError, InputError

POSE_LAYOUTS: Final = {(17, 2): COCO_17, (25, 3): KINECT_V2_25, (20, 3): KINECT_V1_20}
"""Joint layouts by V and C: pixels if C is 2, meters if it is 3."""

_MAX_SIDE_PX = 2**31 - 1


def layout_of_poses(joint_shapes: Sequence[tuple[int, int]], chosen: JointLayout | None) -> JointLayout:
    """Return the layout of joints.

    Args:
        joint_shapes: all V and C of the poses, the most frequent first.
        chosen: the layout that the user states, a shipped one for the image and for space alike; None if it
            follows from the shape.

    Raises:
        InputError: if no poses have the shape of the chosen layout, or no layout follows from any shape.
    """
    num_joints, num_coordinates = joint_shapes[0]
    got = f"{num_joints} joints in {num_coordinates}"
    if chosen is None:
        if known := [POSE_LAYOUTS[shape] for shape in joint_shapes if shape in POSE_LAYOUTS]:
            return known[0]
        fitting = [layout.name for layout in NAMED_LAYOUTS if layout.num_joints == num_joints]
        raise InputError(
            "keypoints must have 17 joints in 2 coordinates, or 25 or 20 joints in 3, or a stated layout",
            got=got,
            hint=f"add --layout {' or '.join([*fitting, 'FILE.toml'])}",
        )
    kinds = LAYOUTS.values() if is_shipped(chosen) else [chosen]
    by_shape = {
        (layout.num_joints, layout.num_coordinates): layout
        for layout in kinds
        if layout.joint_names == chosen.joint_names
    }
    if fits := [by_shape[shape] for shape in joint_shapes if shape in by_shape]:
        return fits[0]
    dimensions = "2 or 3" if is_shipped(chosen) else chosen.num_coordinates
    raise InputError(
        f"keypoints of layout {chosen.name} must have {chosen.num_joints} joints in {dimensions} coordinates",
        got=got,
        hint="state the layout of these joints with --layout",
    )


def skeleton_of_poses(
    keypoint: object,
    scores: object,
    image_size_px: tuple[int, int] | None,
    layout: JointLayout,
    units: PoseUnits = NATIVE_UNITS,
) -> Skeleton:
    """Return the skeleton that a clip's arrays describe.

    Absent joints become NaN, see `present_joints`; PYSKL writes zeros for persons that a frame does not show.
    Persons are sorted by the number of frames that show them.

    Args:
        keypoint: numbers [M, T, V, C]; float64 is rounded to float32.
        scores: numbers [M, T, V]; None if joints have none. Values that are not finite become 0.
        image_size_px: width and height of the image; None for the smallest that contains all pixels.
        layout: layout of the V joints.
        units: units of the joints and scores, which are converted to pixels or meters, and to 0..1.

    Raises:
        ClipError: if an array has another shape or is not of numbers, or all joints are absent.
    """
    shape_VC = (layout.num_joints, layout.num_coordinates)
    values_MTVC = _numbers("keypoint", keypoint)
    if values_MTVC.ndim != 4 or values_MTVC.shape[2:] != shape_VC:
        raise ClipError(
            f"keypoint must have the shape (persons, frames, {shape_VC[0]}, {shape_VC[1]})",
            got=values_MTVC.shape,
        )
    if values_MTVC.shape[1] == 0:
        raise ClipError("keypoint must contain a frame")
    if not present_joints(values_MTVC).any():
        raise ClipError("a skeleton must contain a body")
    scores_MTV = None if scores is None else units.convert_scores(_scores(scores, values_MTVC.shape[:3]))
    is_present_MTV = present_joints(values_MTVC, scores_MTV)
    if scores_MTV is not None and not is_present_MTV.any():
        raise ClipError(
            f"a skeleton must contain a joint whose score is above {MIN_SCORE}",
            got=f"scores of at most {float(scores_MTV.max()):g}",
            hint="leave out keypoint_score if the pose estimator gives none",
        )
    np.copyto(values_MTVC, np.nan, where=~is_present_MTV[..., None])
    image_size_px = units.image_size(image_size_px)
    values_MTVC = units.convert_joints(values_MTVC, image_size_px)
    order_M = np.argsort(-is_present_MTV.any(axis=2).sum(axis=1), kind="stable")
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
    """Return the width and height of an ``img_shape``: (height, width) or (height, width, channels).

    Raises:
        ClipError: if it is anything else.
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
    with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite, and so absent
        numbers: NDArray[np.float32] = values.astype(np.float32)
    return numbers


def _smallest_image(pixels_MTV2: NDArray[Any]) -> tuple[int, int]:
    points_N2 = pixels_MTV2[np.isfinite(pixels_MTV2).all(axis=-1)]
    if len(points_N2) == 0:
        return 0, 0
    width, height = np.clip(np.floor(points_N2.max(axis=0)) + 1, 1, 2**30).astype(int).tolist()
    return width, height
