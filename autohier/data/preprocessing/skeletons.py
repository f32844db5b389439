"""Skeletons as networks read them: centred, turned upright, and what their streams tell of them.

Only the frames that a network reads are computed. An absent joint is NaN until its stream is whole, so that
what is derived from it is absent too: a bone without one of its ends, a motion from nowhere.

Shape letters: M persons, T frames, V joints, C coordinates (x, y, z in metres, or x, y, score in the image).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import JointLayout, Skeleton, shown_joints

Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]

_SHORTEST_M = 1e-3
_BASE, _MIDDLE = ("spine base", "hip center"), ("spine mid", "spine")


def read_stream(
    skeleton: Skeleton,
    layout: JointLayout,
    stream: Stream,
    *,
    num_persons: int,
    positions_T: NDArray[np.int64],
) -> NDArray[np.float32]:
    """What one stream tells of some frames; every stream is a linear map of places.

    Costs what its frames cost, not those between them; motions need the frames behind them too.

    Args:
        skeleton: of a person and a frame at least.
        layout: a bone leads to each joint from the one before; the joint that has none before it has bone 0.
            Where it is planar, the last coordinate is a score: a bone's or a motion's is the mean of both.
        stream: places, bones, or what either changes by to the next frame; behind the last it changes by 0.
        num_persons: persons read, if there are as many.
        positions_T: the frames.

    Returns:
        float32 [M, T, V, C] of at most ``num_persons``; 0 where a joint is absent.
    """
    is_motion = stream.endswith("motion")
    if is_motion:
        behind_T = np.minimum(positions_T + 1, skeleton.num_frames - 1)
        positions_T = np.concatenate([positions_T, behind_T])
    values_MTVC = (
        joints_in_image(skeleton, num_persons, positions_T)
        if layout.planar
        else joints_in_space(skeleton, layout, num_persons, positions_T)
    )
    if stream.startswith("bone"):
        before = np.arange(layout.num_joints)
        for child, parent in layout.edges:
            before[child] = parent
        values_MTVC = _difference(values_MTVC, values_MTVC[:, :, before], layout)
    if is_motion:
        now_MTVC, behind_MTVC = np.split(values_MTVC, 2, axis=1)
        values_MTVC = _difference(behind_MTVC, now_MTVC, layout)
    return np.nan_to_num(values_MTVC, copy=False, nan=0.0)


def joints_in_space(
    skeleton: Skeleton, layout: JointLayout, num_persons: int, positions_T: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Joints in metres about the first person's body, as it stands in the first frame that tells.

    The middle of the spine is the origin, the spine points along z, and x runs as near as it can along the
    shoulders, from left to right. That is PYSKL's PreNormalize3D but for three things: there a second turn
    brings the shoulders onto x and the spine off z again, where it is not square to them; frames that do not
    show the first person are left out of the clip; and it swaps two persons, whom readers have ordered here.

    A person all of whose joints lie at the camera is absent from a frame, as files write it. Where no frame
    tells, joints stay where the camera sees them.

    Returns:
        float32 [M, T, V, 3] of at most ``num_persons``; NaN where a joint is absent.
    """
    origin_3, axes_33 = _body_axes(skeleton.joints_MTV3_m[0], layout)
    joints_MTV3 = skeleton.joints_MTV3_m[:num_persons].take(positions_T, axis=1)
    joints_MTV3[~shown_joints(joints_MTV3)] = np.nan
    turned_MTV3 = np.empty_like(joints_MTV3)
    # One product of all joints is quicker than one for every frame.
    np.matmul((joints_MTV3 - origin_3).reshape(-1, 3), axes_33.T, out=turned_MTV3.reshape(-1, 3))
    return turned_MTV3


def joints_in_image(
    skeleton: Skeleton, num_persons: int, positions_T: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Joints in the image and how sure they are: x and y from -1 to 1 across the width and the height.

    That is PYSKL's PreNormalize2D; what is absent follows `keypoints`: joints without a place or at (0, 0),
    and those whose score is not above 0.

    Returns:
        float32 [M, T, V, 3] of at most ``num_persons``; NaN where a joint is absent.
    """
    pixels_MTV2 = skeleton.pixels_MTV2[:num_persons].take(positions_T, axis=1)
    half_px = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float32) / 2
    joints_MTV3 = np.ones((*pixels_MTV2.shape[:3], 3), dtype=np.float32)
    joints_MTV3[..., :2] = pixels_MTV2 / half_px - 1
    if skeleton.scores_MTV is not None:
        joints_MTV3[..., 2] = skeleton.scores_MTV[:num_persons].take(positions_T, axis=1)
    joints_MTV3[~(shown_joints(pixels_MTV2) & (joints_MTV3[..., 2] > 0))] = np.nan
    return joints_MTV3


def mirrored_joints(layout: JointLayout) -> NDArray[np.int64]:
    """For every joint the one on the other side of the body, or itself."""
    index = {name: place for place, name in enumerate(layout.joint_names)}
    swapped = {"left": "right", "right": "left"}
    others = [" ".join(swapped.get(word, word) for word in name.split(" ")) for name in layout.joint_names]
    return np.array([index[other] for other in others], dtype=np.int64)


def _difference(
    these_MTVC: NDArray[np.float32], those_MTVC: NDArray[np.float32], layout: JointLayout
) -> NDArray[np.float32]:
    difference_MTVC = these_MTVC - those_MTVC
    if layout.planar:
        difference_MTVC[..., -1] = (these_MTVC[..., -1] + those_MTVC[..., -1]) / 2
    return difference_MTVC


def _body_axes(
    body_TV3: NDArray[np.float32], layout: JointLayout
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where a body stands and, in rows, its axes, in the first frame that tells; else those of the camera."""
    marks = [_index(layout, names) for names in (_BASE, _MIDDLE, ("left shoulder",), ("right shoulder",))]
    for base_3, middle_3, left_3, right_3 in body_TV3[:, marks].astype(np.float64):
        z_3 = _unit(middle_3 - base_3)
        across_3 = right_3 - left_3
        x_3 = _unit(across_3 - z_3 * (across_3 @ z_3))
        if not np.isnan(x_3).any():
            axes_33 = np.stack([x_3, np.cross(z_3, x_3), z_3])
            return middle_3.astype(np.float32), axes_33.astype(np.float32)
    return np.zeros(3, dtype=np.float32), np.eye(3, dtype=np.float32)


def _unit(vector_3: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector of length 1 in a direction; NaN where there is none."""
    length = float(np.linalg.norm(vector_3))
    return vector_3 / (length if length > _SHORTEST_M else np.nan)


def _index(layout: JointLayout, names: tuple[str, ...]) -> int:
    return next(layout.joint_names.index(name) for name in names if name in layout.joint_names)
