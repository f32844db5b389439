"""Pose files of a user's own clips: one ``.npz`` file per clip."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from autohier.data.datasets.common.poses.conversion import (
    POSE_LAYOUTS,
    image_size,
    skeleton_of_poses,
)
from autohier.data.formats.mat import read_mat_array
from autohier.data.formats.npz import read_npz_arrays
from autohier.data.joint_layout import JointLayout
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.skeleton import COCO_17, LAYOUTS, Skeleton
from autohier.data.video.decoding import video_size
from autohier.errors import ClipError

_MAX_BYTES: Final = 2**26
"""Size limit of one array: the joints of one person in four hours."""


def read_pose_file(
    path: Path, video: Path | None, layout: JointLayout | None, units: PoseUnits = NATIVE_UNITS
) -> Skeleton:
    """Read ``keypoint`` [M, T, V, C] and optionally ``keypoint_score`` [M, T, V] and ``img_shape``.

    Args:
        path: the ``.npz`` file, or JHMDB's ``.mat`` file.
        video: the clip's video, whose size is the image's if the file has no ``img_shape``; without either,
            the image is the smallest that contains all joints.
        layout: layout of the V joints; None for the one that follows from their number.
        units: units of the joints and scores.

    Raises:
        ClipError: if a file cannot be read or an array breaks a rule.
    """
    size_px = None if video is None else video_size(video)
    if path.suffix.lower() == ".mat":
        return _read_jhmdb(path, size_px, LAYOUTS["jhmdb-15"] if layout is None else layout, units)
    arrays = read_npz_arrays(path, ("keypoint", "keypoint_score", "img_shape"), max_bytes=_MAX_BYTES)
    if "img_shape" in arrays:
        size_px = image_size(arrays["img_shape"])
    keypoint = arrays.get("keypoint")
    if layout is None:
        layout = POSE_LAYOUTS.get(keypoint.shape[2:] if keypoint is not None else (), COCO_17)
    return skeleton_of_poses(keypoint, arrays.get("keypoint_score"), size_px, layout, units)


def _read_jhmdb(
    path: Path, size_px: tuple[int, int] | None, layout: JointLayout, units: PoseUnits
) -> Skeleton:
    """Read ``pos_img`` [C, V, T], whose pixels are numbered from 1, as usual in MATLAB."""
    pixels_CVT = read_mat_array(path, "pos_img", max_bytes=_MAX_BYTES)
    if pixels_CVT.ndim == 2:  # MATLAB drops the last axis of a single frame
        pixels_CVT = pixels_CVT[..., None]
    if pixels_CVT.ndim != 3:
        raise ClipError("pos_img must have the shape (2, joints, frames)", got=pixels_CVT.shape)
    pixels_MTVC = pixels_CVT.transpose(2, 1, 0)[None].astype(np.float64) - 1
    return skeleton_of_poses(pixels_MTVC, None, size_px, layout, units)
