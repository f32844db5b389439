"""Joint layouts of pose estimators and datasets, besides those that autohier's own readers use.

The other layouts are in `autohier.data.skeleton`. Each layout exists in the image and in space; the name of
the less usual one ends with ``-2d`` or ``-3d``.
"""

from __future__ import annotations

from typing import Final

from autohier.data.joint_layout import JointLayout, edges_of

_ARM: Final = ("shoulder", "elbow", "wrist")
_LEG: Final = ("hip", "knee", "ankle")


def _of(side: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{side} {part}" for part in parts)


def _alternating(*parts: str) -> tuple[str, ...]:
    """Return the left and the right joint of each part."""
    return tuple(f"{side} {part}" for part in parts for side in ("left", "right"))


COCO_JOINTS: Final = ("nose", *_alternating("eye", "ear", *_ARM, *_LEG))
"""Order of the joints in COCO's keypoints."""

OPENPOSE_18: Final = JointLayout(
    name="openpose-18",
    joint_names=(
        *("nose", "neck", *_of("right", *_ARM), *_of("left", *_ARM)),
        *(*_of("right", *_LEG), *_of("left", *_LEG)),
        *("right eye", "left eye", "right ear", "left ear"),
    ),
    edges=edges_of((1, -1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15)),
    planar=True,
)

BODY_25: Final = JointLayout(
    name="body-25",
    joint_names=(
        *("nose", "neck", *_of("right", *_ARM), *_of("left", *_ARM), "mid hip"),
        *(*_of("right", *_LEG), *_of("left", *_LEG)),
        *("right eye", "left eye", "right ear", "left ear"),
        *(*_of("left", "big toe", "small toe", "heel"), *_of("right", "big toe", "small toe", "heel")),
    ),
    edges=edges_of((1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 14, 19, 14, 11, 22, 11)),
    planar=True,
)

# The joints of COCO, and more. Arms hang on the neck, legs and neck on the hip; faces are joined as in COCO.
HALPE_26: Final = JointLayout(
    name="halpe-26",
    joint_names=(*COCO_JOINTS, "head", "neck", "hip", *_alternating("big toe", "small toe", "heel")),
    edges=edges_of(
        (
            *(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14),
            *(18, 19, -1, 15, 16, 15, 16, 15, 16),
        )
    ),
    planar=True,
)

H36M_17: Final = JointLayout(
    name="h36m-17",
    joint_names=(
        *("pelvis", *_of("right", *_LEG), *_of("left", *_LEG)),
        *("spine", "thorax", "neck base", "head", *_of("left", *_ARM), *_of("right", *_ARM)),
    ),
    edges=edges_of((-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)),
)

JHMDB_15: Final = JointLayout(
    name="jhmdb-15",
    joint_names=(
        *("neck", "belly", "face", "right shoulder", "left shoulder", "right hip", "left hip"),
        *("right elbow", "left elbow", "right knee", "left knee"),
        *("right wrist", "left wrist", "right ankle", "left ankle"),
    ),
    edges=edges_of((1, -1, 0, 0, 0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10)),
    planar=True,
)

FLORENCE_15: Final = JointLayout(
    name="florence-15",
    joint_names=(
        *("head", "neck", "spine", *_of("left", *_ARM), *_of("right", *_ARM)),
        *(*_of("left", *_LEG), *_of("right", *_LEG)),
    ),
    edges=edges_of((1, 2, -1, 1, 3, 4, 1, 6, 7, 2, 9, 10, 2, 12, 13)),
)

# MSR-Action3D's own order of Kinect's joints. Its authors do not say which side is which; here the first of
# each pair is the left one.
MSR_20: Final = JointLayout(
    name="msr-20",
    joint_names=(
        *("left shoulder", "right shoulder", "shoulder center", "spine", "left hip", "right hip"),
        *("hip center", *_alternating("elbow", "wrist", "hand", "knee", "ankle", "foot"), "head"),
    ),
    edges=edges_of((2, 2, 3, 6, 6, 6, -1, 0, 1, 7, 8, 9, 10, 4, 5, 13, 14, 15, 16, 2)),
)

BLAZEPOSE_33: Final = JointLayout(
    name="blazepose-33",
    joint_names=(
        *("nose", *_of("left", "inner eye", "eye", "outer eye")),
        *(*_of("right", "inner eye", "eye", "outer eye"), *_alternating("ear", "mouth", *_ARM)),
        *_alternating("pinky", "index", "thumb", *_LEG, "heel", "foot index"),
    ),
    edges=edges_of(
        (
            *(-1, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 15, 16, 15, 16),
            *(11, 12, 23, 24, 25, 26, 27, 28, 29, 30),
        )
    ),
    planar=True,
)

SHIPPED_LAYOUTS: Final = (
    *(OPENPOSE_18, BODY_25, HALPE_26, H36M_17, JHMDB_15, FLORENCE_15, MSR_20, BLAZEPOSE_33),
)
