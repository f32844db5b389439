"""Skeletons: joints of one clip in camera metres and image pixels, and the layouts they follow.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class JointLayout:
    """Which joint stands at which index, and which joints a bone connects.

    Attributes:
        name: what datasets and manifests call it.
        joint_names: one name per joint, in file order.
        edges: bones as 0-based (child, parent); a tree over all joints.
        planar: whether joints are found in images, so that they have no place in metres.
    """

    name: str
    joint_names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    planar: bool = False

    @property
    def num_joints(self) -> int:
        """V of the arrays in this layout."""
        return len(self.joint_names)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The people of one clip; persons come most prominent first.

    Attributes:
        joints_MTV3_m: float32 camera coordinates in metres (x right, y up, z away), NaN where absent.
        pixels_MTV2: float32 image coordinates in pixels (x right, y down), NaN where absent.
        image_width_px: width of the image that the pixels refer to; a resized video may be smaller.
        image_height_px: height of that image.
        layout: name of a `JointLayout` in `LAYOUTS`.
        scores_MTV: float32 confidence of every joint in 0..1, as pose estimators tell; None without.
    """

    joints_MTV3_m: NDArray[np.float32]
    pixels_MTV2: NDArray[np.float32]
    image_width_px: int
    image_height_px: int
    layout: str
    scores_MTV: NDArray[np.float32] | None = None

    @property
    def num_persons(self) -> int:
        """M of the arrays."""
        return len(self.joints_MTV3_m)

    @property
    def num_shown(self) -> int:
        """Persons whom a frame shows."""
        places = (self.joints_MTV3_m, self.pixels_MTV2)
        shown_M = np.any([np.isfinite(place).any(axis=(1, 2, 3)) for place in places], axis=0)
        return int(shown_M.sum())

    @property
    def num_frames(self) -> int:
        """T of the arrays."""
        return int(self.joints_MTV3_m.shape[1])


def shown_joints(places_MTVC: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which joints are somewhere, bool [M, T, V]: finite, and not at the origin, as files write of nobody.

    In an image (C = 2) that is said of each joint, in space of a body: poses may count from one joint.
    """
    moved_MTV = (places_MTVC != 0).any(axis=-1)
    if places_MTVC.shape[-1] > 2:
        moved_MTV = moved_MTV.any(axis=-1, keepdims=True)
    shown_MTV: NDArray[np.bool_] = np.isfinite(places_MTVC).all(axis=-1) & moved_MTV
    return shown_MTV


_LIMBS_20: Final = (
    *("left shoulder", "left elbow", "left wrist", "left hand"),
    *("right shoulder", "right elbow", "right wrist", "right hand"),
    *("left hip", "left knee", "left ankle", "left foot"),
    *("right hip", "right knee", "right ankle", "right foot"),
)

# Order of the joints in NTU's .skeleton files. The hand tips hang on the hands and the thumbs on the
# tips, as in CTR-GCN; other toolkits attach both to the hand's end of the wrist.
KINECT_V2_25: Final = JointLayout(
    name="kinect-v2-25",
    joint_names=(
        *("spine base", "spine mid", "neck", "head"),
        *_LIMBS_20,
        *("spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb"),
    ),
    edges=(
        *((0, 1), (1, 20), (2, 20), (3, 2)),
        *((4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8), (10, 9), (11, 10)),
        *((12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)),
        *((21, 22), (22, 7), (23, 24), (24, 11)),
    ),
)

# Order of the joints in UTD-MHAD's d_skel; Kinect v1's own order differs in the first four.
KINECT_V1_20_UTD: Final = JointLayout(
    name="kinect-v1-20-utd",
    joint_names=("head", "shoulder center", "spine", "hip center", *_LIMBS_20),
    edges=(
        *((0, 1), (1, 2), (2, 3)),
        *((4, 1), (5, 4), (6, 5), (7, 6), (8, 1), (9, 8), (10, 9), (11, 10)),
        *((12, 3), (13, 12), (14, 13), (15, 14), (16, 3), (17, 16), (18, 17), (19, 18)),
    ),
)

# Kinect v1's own order, in which N-UCLA's files and most toolkits give its joints.
KINECT_V1_20: Final = JointLayout(
    name="kinect-v1-20",
    joint_names=("hip center", "spine", "shoulder center", "head", *_LIMBS_20),
    edges=(
        *((0, 1), (1, 2), (3, 2)),
        *((4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 10)),
        *((12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)),
    ),
)

# Order of the joints in COCO's keypoints; the bones hang on the nose, as in PYSKL's graph.
COCO_17: Final = JointLayout(
    name="coco-17",
    joint_names=(
        *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder"),
        *("left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip"),
        *("left knee", "right knee", "left ankle", "right ankle"),
    ),
    edges=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6)),
        *((5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)),
    ),
    planar=True,
)

LAYOUTS: Final = {layout.name: layout for layout in (KINECT_V2_25, KINECT_V1_20, KINECT_V1_20_UTD, COCO_17)}
