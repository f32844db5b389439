"""Boxes of the hands and the body of a clip's first person: one for all frames, so that it adds no motion.

Shape letters: T frames, V joints, N points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton, present_joints
from autohier.data.transforms.boxes import Box
from autohier.errors import InputError

LEFT_HAND, RIGHT_HAND, BODY = "left_hand", "right_hand", "body"
PART_NAMES: Final = (LEFT_HAND, RIGHT_HAND, BODY)
OTHER_SIDE: Final[Mapping[str, str]] = {LEFT_HAND: RIGHT_HAND, RIGHT_HAND: LEFT_HAND, BODY: BODY}
"""Part that a mirrored clip shows in place of each part."""
_HAND_JOINTS: Final = ("hand", "hand tip", "thumb", "pinky", "index", "wrist")
"""Joints of a hand without their side."""
_BODY_MARGIN: Final = 0.1
_MIN_SIDE_PX: Final = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """Stored square pictures, and the part of the source video that they show."""

    side_px: int
    shown: Box
    """In pixels of the source video."""
    video_size_px: tuple[int, int]
    """Width and height of the source video."""


def hand_joints(layout: JointLayout) -> dict[str, tuple[int, ...]]:
    """Return the joints of each hand: those of the hand itself, and the wrist.

    Raises:
        InputError: if the layout names none of them on a side.
    """
    found = {
        part: tuple(
            layout.joint_names.index(name)
            for name in (f"{side} {joint}" for joint in _HAND_JOINTS)
            if name in layout.joint_names
        )
        for part, side in ((LEFT_HAND, "left"), (RIGHT_HAND, "right"))
    }
    if not all(found.values()):
        raise InputError(
            f"the joint layout must name joints of both hands, e.g. '{_HAND_JOINTS[-1]}' with left and right",
            got=f"{layout.name} with {', '.join(layout.joint_names)}",
            hint="name them so in the layout, or choose a recognizer that reads other clips",
        )
    return found


def part_boxes(
    skeleton: Skeleton, hands: Mapping[str, tuple[int, ...]], picture: Picture, *, hand_size: float
) -> dict[str, Box]:
    """Return the box of every part, in pixels of the stored pictures.

    The body's box holds all joints of all frames, and a tenth of its size more on each side, within the
    picture. A hand's box is square in the source video. It holds the hand's joints of all frames with half of
    ``hand_size`` around them; it is moved into the picture, and cut if it is larger. A hand without joints
    gets the box of the body, and a body without joints the whole picture.

    Args:
        skeleton: skeleton whose pixels refer to an image that may be larger or smaller than the video.
        hands: `hand_joints` of its layout.
        picture: the stored pictures.
        hand_size: side of the box of a still hand, as a share of the longer side of the joints' box.
    """
    shown = picture.shown
    low_2, high_2 = np.array(shown[:2], dtype=np.float64), np.array(shown[2:], dtype=np.float64)
    boxes = dict.fromkeys(OTHER_SIDE, (low_2, high_2))
    body = _extent(skeleton, tuple(range(skeleton.pixels_MTV2.shape[2])), picture)
    if body is not None:
        size_2 = body[1] - body[0]
        margin_2 = _BODY_MARGIN * size_2
        whole = np.clip(body[0] - margin_2, low_2, high_2), np.clip(body[1] + margin_2, low_2, high_2)
        boxes = dict.fromkeys(OTHER_SIDE, whole)
        for part, joints in hands.items():
            hand = _extent(skeleton, joints, picture)
            if hand is not None:
                side = (hand[1] - hand[0]).max() + hand_size * size_2.max()
                center_2 = (hand[0] + hand[1]) / 2
                boxes[part] = _moved_within(center_2 - side / 2, center_2 + side / 2, low_2, high_2)
    scale_2 = picture.side_px / (high_2 - low_2)
    return {
        part: _whole_pixels((first_2 - low_2) * scale_2, (last_2 - low_2) * scale_2, picture.side_px)
        for part, (first_2, last_2) in boxes.items()
    }


_Corners = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Left and top, right and bottom."""


def _extent(skeleton: Skeleton, joints: tuple[int, ...], picture: Picture) -> _Corners | None:
    """Return the box of some joints of the first person, in pixels of the video; None if none is present."""
    pixels_MTV2 = skeleton.pixels_MTV2[:1][:, :, joints]
    scores_MTV = None if skeleton.scores_MTV is None else skeleton.scores_MTV[:1][:, :, joints]
    points_N2 = pixels_MTV2[present_joints(pixels_MTV2, scores_MTV)].astype(np.float64)
    if not len(points_N2):
        return None
    scale_2 = np.array(picture.video_size_px) / (skeleton.image_width_px, skeleton.image_height_px)
    return points_N2.min(axis=0) * scale_2, points_N2.max(axis=0) * scale_2


def _moved_within(
    first_2: NDArray[np.float64],
    last_2: NDArray[np.float64],
    low_2: NDArray[np.float64],
    high_2: NDArray[np.float64],
) -> _Corners:
    """Move a box into another one; an axis that is longer than the other box is cut to it."""
    size_2 = np.minimum(last_2 - first_2, high_2 - low_2)
    moved_2 = np.clip((first_2 + last_2 - size_2) / 2, low_2, high_2 - size_2)
    return moved_2, moved_2 + size_2


def _whole_pixels(first_2: NDArray[np.float64], last_2: NDArray[np.float64], side_px: int) -> Box:
    """Return the smallest box of whole pixels around a box, of at least two pixels along each axis."""
    start_2 = np.clip(np.floor(first_2).astype(int), 0, side_px - _MIN_SIDE_PX)
    end_2 = np.clip(np.ceil(last_2).astype(int), start_2 + _MIN_SIDE_PX, side_px)
    return Box(int(start_2[0]), int(start_2[1]), int(end_2[0]), int(end_2[1]))
