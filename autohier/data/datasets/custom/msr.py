"""Skeletons of MSR-Action3D: ``a01_s01_e01_skeleton3D.txt`` in space, ``..._skeleton.txt`` in the image.

A file holds 20 rows per frame, one per joint: x, y, z and a confidence. In the image, x and y are pixels of
the depth image, and z, a depth, is not used.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.file_search import find_named_clips
from autohier.data.datasets.common.number_text import read_number_rows
from autohier.data.datasets.common.poses.conversion import skeleton_of_poses
from autohier.data.datasets.custom.skeleton_clip import SkeletonClip, SkeletonSet
from autohier.data.joint_layout import JointLayout
from autohier.data.pose_units import PoseUnits
from autohier.data.skeleton import LAYOUTS, MIN_SCORE, Skeleton
from autohier.errors import ClipError

_NAME = re.compile(r"(a(\d{1,3})_s(\d{1,3})_e(\d{1,3}))_(skeleton(?:3D)?\.txt)", re.IGNORECASE | re.ASCII)
_IN_SPACE: Final = "skeleton3d.txt"
_IN_IMAGE: Final = "skeleton.txt"
_IMAGE_PX: Final = (320, 240)
_NUM_JOINTS: Final = 20
_ACTIONS: Final = (
    *("high arm wave", "horizontal arm wave", "hammer", "hand catch", "forward punch", "high throw"),
    *("draw x", "draw tick", "draw circle", "hand clap", "two hand wave", "side boxing", "bend"),
    *("forward kick", "side kick", "jogging", "tennis swing", "tennis serve", "golf swing"),
    "pick up and throw",
)


def find_msr(source: Path) -> SkeletonSet | None:
    """Return the clips below a folder; None if there are none. Skeletons in space have precedence.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
    """
    found = find_named_clips(source, _NAME, lower=True)
    if not found:
        return None
    is_in_space = any(_IN_SPACE in clip.files for clip in found.values())
    ending = _IN_SPACE if is_in_space else _IN_IMAGE
    clips = {clip_id: clip for clip_id, clip in found.items() if ending in clip.files}
    warnings: tuple[DatasetWarning, ...] = ()
    if skipped := sorted(found.keys() - clips.keys()):
        text = f"{len(skipped):,} clips have skeletons in the image only and are skipped, e.g. {skipped[0]}"
        warnings = (DatasetWarning(text, "keep one kind of files in the source"),)
    actions = sorted({clip.numbers[0] for clip in clips.values()})
    return SkeletonSet(
        tuple(
            SkeletonClip(
                clip_id, _action(clip.numbers[0]), clip.numbers[1], clip.numbers[2], clip.files[ending]
            )
            for clip_id, clip in clips.items()
        ),
        tuple(map(_action, actions)),
        LAYOUTS["msr-20"],
        3 if is_in_space else 2,
        warnings,
    )


def read_msr(path: Path, layout: JointLayout, units: PoseUnits) -> Skeleton:
    """Return the skeleton in a file. A file without any confidence is read without scores.

    Raises:
        ClipError: if the file breaks the format, or all joints are absent.
    """
    rows = read_number_rows(path, 4)
    if len(rows) % _NUM_JOINTS:
        raise ClipError(f"a skeleton file must have {_NUM_JOINTS} rows per frame", got=f"{len(rows)} rows")
    rows_MTVC = rows.reshape(1, -1, _NUM_JOINTS, 4)
    scores_MTV = rows_MTVC[..., 3]
    has_scores = bool((scores_MTV > MIN_SCORE).any())
    return skeleton_of_poses(
        rows_MTVC[..., : layout.num_coordinates].astype(np.float32),
        scores_MTV if has_scores else None,
        _IMAGE_PX if layout.planar else None,
        layout,
        units,
    )


def _action(number: int) -> str:
    return _ACTIONS[number - 1] if 1 <= number <= len(_ACTIONS) else f"action {number}"
