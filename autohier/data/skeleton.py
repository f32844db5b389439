"""Skeletons: joints of one clip in camera coordinates and image pixels, and the layouts of own readers.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.shipped_layouts import COCO_JOINTS, SHIPPED_LAYOUTS

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints of all persons of one clip; the most prominent person comes first.

    Coordinates of absent joints are NaN, see `present_joints`.

    Attributes:
        joints_MTV3_m: float32 camera coordinates in meters (x right, y up, z away).
        pixels_MTV2: float32 image coordinates in pixels (x right, y down).
        image_width_px: width of the image that the pixels refer to; a resized video may be smaller.
        image_height_px: height of that image.
        layout: name of a `JointLayout` in `LAYOUTS`.
        scores_MTV: float32 confidence of every joint in 0..1, from a pose estimator; None if there is none.
        is_joined: True if a person consists of several tracks of the file; stores do not keep it.
    """

    joints_MTV3_m: NDArray[np.float32]
    pixels_MTV2: NDArray[np.float32]
    image_width_px: int
    image_height_px: int
    layout: str
    scores_MTV: NDArray[np.float32] | None = None
    is_joined: bool = False

    @property
    def num_persons(self) -> int:
        """M of the arrays."""
        return len(self.joints_MTV3_m)

    @property
    def num_visible_persons(self) -> int:
        """Number of persons with a present joint in at least one frame."""
        return int(self.presence().any(axis=(1, 2)).sum())

    @property
    def num_frames(self) -> int:
        """T of the arrays."""
        return int(self.joints_MTV3_m.shape[1])

    def presence(self) -> NDArray[np.bool_]:
        """Return the mask of joints that are present in space or in the image: bool [M, T, V]."""
        in_space_MTV = present_joints(self.joints_MTV3_m, self.scores_MTV)
        return in_space_MTV | present_joints(self.pixels_MTV2, self.scores_MTV)

    def with_absent_joints_marked(self) -> Skeleton:
        """Return the skeleton with NaN for the coordinates of every absent joint."""
        arrays = {"joints_MTV3_m": self.joints_MTV3_m, "pixels_MTV2": self.pixels_MTV2}
        changes: dict[str, Any] = {}
        for name, places_MTVC in arrays.items():
            absent_MTV = ~present_joints(places_MTVC, self.scores_MTV)
            if (np.isfinite(places_MTVC).any(axis=-1) & absent_MTV).any():
                changes[name] = np.where(absent_MTV[..., None], np.float32(np.nan), places_MTVC)
        return replace(self, **changes) if changes else self


MIN_SCORE: Final = 0.01
"""Joints with this score or a lower one are absent, as in PYSKL."""


@overload
def present_joints(
    places_MTVC: NDArray[np.floating], scores_MTV: NDArray[np.floating] | None = None
) -> NDArray[np.bool_]: ...


@overload
def present_joints(places_MTVC: Tensor, scores_MTV: Tensor | None = None) -> Tensor: ...


def present_joints(places_MTVC: Any, scores_MTV: Any = None) -> Any:
    """Return the mask of joints that are present: bool [M, T, V], for arrays and for tensors.

    This is the one rule for absent joints. A joint is absent if a coordinate is not finite, or if its score
    is not above `MIN_SCORE`. Files also mark absent joints by zeros: in an image (C = 2) a joint at (0, 0) is
    absent. In space (C = 3) only a body whose joints are all at (0, 0, 0) is absent, because poses may be
    relative to one joint.

    Args:
        places_MTVC: coordinates, with any number of axes before the joints.
        scores_MTV: confidences in 0..1; None if joints have none.
    """
    # Comparisons with infinity, because arrays and tensors share no function for finite numbers. The absolute
    # values would take as much memory as the coordinates.
    finite_MTV = ((places_MTVC < math.inf) & (places_MTVC > -math.inf)).all(axis=-1)
    nonzero_MTV = (places_MTVC != 0).any(axis=-1) & finite_MTV
    if places_MTVC.shape[-1] > 2:
        nonzero_MTV = nonzero_MTV.any(axis=-1, keepdims=True)
    present_MTV = finite_MTV & nonzero_MTV
    return present_MTV if scores_MTV is None else present_MTV & (scores_MTV > MIN_SCORE)


_LIMBS_20: Final = (
    *("left shoulder", "left elbow", "left wrist", "left hand"),
    *("right shoulder", "right elbow", "right wrist", "right hand"),
    *("left hip", "left knee", "left ankle", "left foot"),
    *("right hip", "right knee", "right ankle", "right foot"),
)

# Order of the joints in NTU's .skeleton files. The edges follow CTR-GCN: the parent of a hand tip is the
# thumb, and that of a thumb is the hand.
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

# Kinect v1's own order, used by N-UCLA's files and most toolkits.
KINECT_V1_20: Final = JointLayout(
    name="kinect-v1-20",
    joint_names=("hip center", "spine", "shoulder center", "head", *_LIMBS_20),
    edges=(
        *((0, 1), (1, 2), (3, 2)),
        *((4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 10)),
        *((12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)),
    ),
)

# Order of the joints in COCO's keypoints; the root of the bones is the nose, as in PYSKL's graph. In PYSKL's
# bone streams, the hips also hang on the nose.
COCO_17: Final = JointLayout(
    name="coco-17",
    joint_names=COCO_JOINTS,
    edges=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6)),
        *((5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)),
    ),
    planar=True,
    parents=((11, 0), (12, 0)),
)

NAMED_LAYOUTS: Final = (KINECT_V2_25, KINECT_V1_20, KINECT_V1_20_UTD, COCO_17, *SHIPPED_LAYOUTS)
"""The layouts that ship with autohier, as they are usually found: in the image or in space."""

LAYOUTS: Final = {
    layout.name: layout
    for is_usual in (True, False)
    for usual in NAMED_LAYOUTS
    for layout in [usual if is_usual else usual.with_planar(planar=not usual.planar)]
}
"""All shipped layouts by name, each in the image and in space."""
