"""Skeletons as networks read them: centered, turned upright, and converted to streams.

Only the frames that a network reads are computed. An absent joint is NaN until its stream is complete, so
that the bones and motions derived from it are absent too.

Shape letters: M persons, T frames, V joints, C coordinates (x, y, z in meters, or x, y, score in the image).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton, present_joints

Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]

_SHORTEST_M = 1e-3


def read_stream(
    skeleton: Skeleton,
    layout: JointLayout,
    stream: Stream,
    *,
    num_persons: int,
    positions_T: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return one stream of some frames; every stream is a linear map of joint positions.

    The cost depends on the given frames alone. Motion streams also read the frame after each.

    Args:
        skeleton: skeleton of at least one person and one frame.
        layout: layout of the joints. A joint's bone is the vector from its parent; the root's bone is 0. If
            the layout is planar, the last coordinate is a score; a bone or motion gets the mean of two.
        stream: joint positions, bones, or the change of either to the next frame, which is 0 after the last.
        num_persons: largest number of persons to read.
        positions_T: indices of the frames.

    Returns:
        float32 [M, T, V, C] with M at most ``num_persons``; 0 for an absent joint.
    """
    is_motion = stream.endswith("motion")
    if is_motion:
        next_T = np.minimum(positions_T + 1, skeleton.num_frames - 1)
        positions_T = np.concatenate([positions_T, next_T])
    values_MTVC = (
        joints_in_image(skeleton, num_persons, positions_T)
        if layout.planar
        else joints_in_space(skeleton, layout, num_persons, positions_T)
    )
    if stream.startswith("bone"):
        parents = np.arange(layout.num_joints)
        for child, parent in layout.bones:
            parents[child] = parent
        values_MTVC = _difference(values_MTVC, values_MTVC[:, :, parents], layout)
    if is_motion:
        now_MTVC, next_MTVC = np.split(values_MTVC, 2, axis=1)
        values_MTVC = _difference(next_MTVC, now_MTVC, layout)
    return np.nan_to_num(values_MTVC, copy=False, nan=0.0)


def joints_in_space(
    skeleton: Skeleton, layout: JointLayout, num_persons: int, positions_T: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return joints in meters, in the body coordinates of the first person.

    The body coordinates come from the first frame in which the first person's spine and shoulders are known,
    or what the layout names instead. The origin is the middle of the spine, z points along the spine, and x
    is the component of the line from the left to the right shoulder that is orthogonal to z. If the layout
    names an origin only, bodies are moved there but not turned. This is PYSKL's PreNormalize3D with three
    differences: PYSKL rotates a second time, which aligns the shoulders with x and turns the spine away from
    z unless they are orthogonal; it drops frames without the first person; and it may swap two persons, whom
    the readers have ordered here.

    If no frame determines the body coordinates, joints stay in camera coordinates.

    Returns:
        float32 [M, T, V, 3] with M at most ``num_persons``; NaN for an absent joint.
    """
    origin_3, axes_33 = _body_axes(skeleton.joints_MTV3_m[0], layout)
    joints_MTV3 = skeleton.joints_MTV3_m[:num_persons].take(positions_T, axis=1)
    scores_MTV = _scores(skeleton, num_persons, positions_T)
    joints_MTV3[~present_joints(joints_MTV3, scores_MTV)] = np.nan
    turned_MTV3 = np.empty_like(joints_MTV3)
    # One matrix product over all joints is faster than one per frame.
    np.matmul((joints_MTV3 - origin_3).reshape(-1, 3), axes_33.T, out=turned_MTV3.reshape(-1, 3))
    return turned_MTV3


def joints_in_image(
    skeleton: Skeleton, num_persons: int, positions_T: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return image coordinates and scores of joints: x and y run from -1 to 1 over the width and height.

    This is PYSKL's PreNormalize2D.

    Returns:
        float32 [M, T, V, 3] with M at most ``num_persons``; NaN for an absent joint.
    """
    pixels_MTV2 = skeleton.pixels_MTV2[:num_persons].take(positions_T, axis=1)
    half_px = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float32) / 2
    joints_MTV3 = np.ones((*pixels_MTV2.shape[:3], 3), dtype=np.float32)
    joints_MTV3[..., :2] = pixels_MTV2 / half_px - 1
    scores_MTV = _scores(skeleton, num_persons, positions_T)
    if scores_MTV is not None:
        joints_MTV3[..., 2] = scores_MTV
    joints_MTV3[~present_joints(pixels_MTV2, scores_MTV)] = np.nan
    return joints_MTV3


def mirrored_joints(layout: JointLayout) -> NDArray[np.int64]:
    """Return the index of each joint's counterpart on the other side of the body, or its own index."""
    return np.array(layout.mirrored(), dtype=np.int64)


def _scores(
    skeleton: Skeleton, num_persons: int, positions_T: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    scores_MTV = skeleton.scores_MTV
    return None if scores_MTV is None else scores_MTV[:num_persons].take(positions_T, axis=1)


def _difference(
    left_MTVC: NDArray[np.float32], right_MTVC: NDArray[np.float32], layout: JointLayout
) -> NDArray[np.float32]:
    difference_MTVC = left_MTVC - right_MTVC
    if layout.planar:
        difference_MTVC[..., -1] = (left_MTVC[..., -1] + right_MTVC[..., -1]) / 2
    return difference_MTVC


def _body_axes(
    body_TV3: NDArray[np.float32], layout: JointLayout
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return origin and axes (rows) of a body in the first frame that determines them, else the camera's."""
    marks = layout.body_axes()
    origin_T3 = _mean_joint(body_TV3, marks.origin)
    if not marks.is_turned:
        known_T = np.isfinite(origin_T3).all(axis=1)
        origin_3 = origin_T3[known_T.argmax()] if known_T.any() else np.zeros(3)
        return origin_3.astype(np.float32), np.eye(3, dtype=np.float32)
    ends = (_mean_joint(body_TV3, joints) for joints in (marks.bottom, marks.top, marks.left, marks.right))
    for origin_3, bottom_3, top_3, left_3, right_3 in zip(origin_T3, *ends, strict=True):
        z_3 = _unit(top_3 - bottom_3)
        across_3 = right_3 - left_3
        x_3 = _unit(across_3 - z_3 * (across_3 @ z_3))
        if not np.isnan(x_3).any() and not np.isnan(origin_3).any():
            axes_33 = np.stack([x_3, np.cross(z_3, x_3), z_3])
            return origin_3.astype(np.float32), axes_33.astype(np.float32)
    return np.zeros(3, dtype=np.float32), np.eye(3, dtype=np.float32)


def _mean_joint(body_TV3: NDArray[np.float32], joints: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the mean position of some joints in every frame, NaN if one of them is absent."""
    positions_T3: NDArray[np.float64] = body_TV3[:, joints].astype(np.float64).mean(axis=1)
    return positions_T3


def _unit(vector_3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector of a direction; NaN if the vector is shorter than 1 mm."""
    length = float(np.linalg.norm(vector_3))
    return vector_3 / (length if length > _SHORTEST_M else np.nan)
