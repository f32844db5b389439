"""Skeletons as networks read them: centred, turned upright, and what their streams tell of them.

Shape letters: M persons, T frames, V joints, C coordinates (x, y, z in metres, or x, y, score in the image).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import JointLayout, Skeleton

Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]

_SHORTEST = 1e-6
_BASE, _MIDDLE = ("spine base", "hip center"), ("spine mid", "spine")


def joints_in_space(skeleton: Skeleton, layout: JointLayout, num_persons: int) -> NDArray[np.float32]:
    """Joints in metres about the body of the first person in the first frame that shows one.

    The middle of the spine is the origin, the spine points along z, and x runs as near as it can along the
    shoulders, from right to left. That is PYSKL's PreNormalize3D but for the last: there a second turn brings
    the shoulders onto x and the spine off z again, where it is not square to them.

    Returns:
        float32 [M, T, V, 3], ``num_persons`` of them; 0 where a joint or a person is absent.
    """
    joints_MTV3 = _first(skeleton.joints_MTV3_m, num_persons)
    present_MTV = _present(joints_MTV3)
    joints_MTV3[~present_MTV] = 0
    middle = _index(layout, _MIDDLE)
    shown = np.flatnonzero(present_MTV[0, :, middle])
    if len(shown):
        pose_V3 = joints_MTV3[0, shown[0]]
        joints_MTV3 = ((joints_MTV3 - pose_V3[middle]) @ _upright(pose_V3, layout).T).astype(np.float32)
        joints_MTV3[~present_MTV] = 0
    return joints_MTV3


def joints_in_image(skeleton: Skeleton, num_persons: int) -> NDArray[np.float32]:
    """Joints in the image and how sure they are: x and y from -1 to 1 across the width and the height.

    Returns:
        float32 [M, T, V, 3], ``num_persons`` of them; 0 where a joint or a person is absent.
    """
    pixels_MTV2 = _first(skeleton.pixels_MTV2, num_persons)
    size_px = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float32)
    present_MTV = _present(pixels_MTV2)
    scores_MTV = present_MTV.astype(np.float32)
    if skeleton.scores_MTV is not None:
        scores_MTV *= np.nan_to_num(_first(skeleton.scores_MTV, num_persons))
    joints_MTV3 = np.concatenate([pixels_MTV2 / (size_px / 2) - 1, scores_MTV[..., None]], axis=-1)
    joints_MTV3[~present_MTV] = 0
    return joints_MTV3


def derive_stream(
    joints_MTVC: NDArray[np.float32], layout: JointLayout, stream: Stream, *, planar: bool
) -> NDArray[np.float32]:
    """What one stream tells of a clip; every stream is a linear map of places.

    Args:
        joints_MTVC: places of joints.
        layout: a bone leads to each joint from the one before; the joint that has none before it has bone 0.
        stream: places, bones, or what either changes by from a frame to the next; the last changes by 0.
        planar: whether the last coordinate is a score: a bone's or a motion's is the mean of both.

    Returns:
        float32 [M, T, V, C]; ``joints_MTVC`` itself for "joint".
    """
    values_MTVC = joints_MTVC
    if stream.startswith("bone"):
        before = np.arange(layout.num_joints)
        for child, parent in layout.edges:
            before[child] = parent
        values_MTVC = _difference(values_MTVC, values_MTVC[:, :, before], planar=planar)
    if stream.endswith("motion"):
        after_MTVC = np.concatenate([values_MTVC[:, 1:], values_MTVC[:, -1:]], axis=1)
        values_MTVC = _difference(after_MTVC, values_MTVC, planar=planar)
    return values_MTVC


def mirrored_joints(layout: JointLayout) -> NDArray[np.int64]:
    """For every joint the one on the other side of the body, or itself."""
    index = {name: place for place, name in enumerate(layout.joint_names)}
    swapped = {"left": "right", "right": "left"}
    others = [" ".join(swapped.get(word, word) for word in name.split(" ")) for name in layout.joint_names]
    return np.array([index[other] for other in others], dtype=np.int64)


def _difference(
    these_MTVC: NDArray[np.float32], those_MTVC: NDArray[np.float32], *, planar: bool
) -> NDArray[np.float32]:
    difference_MTVC = these_MTVC - those_MTVC
    if planar:
        difference_MTVC[..., -1] = (these_MTVC[..., -1] + those_MTVC[..., -1]) / 2
    return difference_MTVC


def _present(values_MTVC: NDArray[np.float32]) -> NDArray[np.bool_]:
    present_MTV: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values_MTVC), axis=-1)
    return present_MTV


def _first(values: NDArray[np.float32], num_persons: int) -> NDArray[np.float32]:
    """A copy of the first persons, and NaN for those that there are not."""
    first = np.full((num_persons, *values.shape[1:]), np.nan, dtype=np.float32)
    first[: len(values)] = values[:num_persons]
    return first


def _upright(pose_V3: NDArray[np.float32], layout: JointLayout) -> NDArray[np.float64]:
    """The rotation whose rows are the axes of a body; none where the pose does not tell them."""
    names = layout.joint_names
    spine = pose_V3[_index(layout, _MIDDLE)] - pose_V3[_index(layout, _BASE)].astype(np.float64)
    shoulders = pose_V3[names.index("left shoulder")] - pose_V3[names.index("right shoulder")]
    along = spine / max(float(np.linalg.norm(spine)), _SHORTEST)
    across = shoulders - along * (shoulders @ along)
    length = float(np.linalg.norm(across))
    if float(np.linalg.norm(spine)) < _SHORTEST or length < _SHORTEST:
        return np.eye(3)
    across = across / length
    return np.stack([across, np.cross(along, across), along])


def _index(layout: JointLayout, names: tuple[str, str]) -> int:
    return next(layout.joint_names.index(name) for name in names if name in layout.joint_names)
