"""Digests of skeletons: equal for the same movement, with any number of digits."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.data.skeleton import Skeleton
from autohier.data.transforms.content import skeleton_content


def skeleton(joints_MTV3: np.ndarray) -> Skeleton:  # type: ignore[type-arg]
    pixels = np.full((*joints_MTV3.shape[:3], 2), np.nan, dtype=np.float32)
    return Skeleton(joints_MTV3.astype(np.float32), pixels, 0, 0, "kinect-v1-20")


JOINTS = np.random.default_rng(0).integers(-20_000, 20_000, (1, 4, 20, 3)) / 10_000


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (JOINTS + 1e-6, True),  # another number of digits
        (JOINTS + 1e-3, False),  # a millimeter
        (JOINTS[:, :3], False),  # another length
        (JOINTS[:, ::-1], False),  # another order
    ],
)
def test_the_same_movement_has_the_same_digest(other: np.ndarray, is_same: bool) -> None:  # type: ignore[type-arg]
    assert (skeleton_content(skeleton(JOINTS)) == skeleton_content(skeleton(other))) is is_same


def test_minus_zero_is_zero_and_absent_is_not_zero() -> None:
    zeros, absent = JOINTS.copy(), JOINTS.copy()
    zeros[0, 0, 0] = 0.0
    absent[0, 0, 0] = np.nan
    minus = zeros.copy()
    minus[0, 0, 0] = -1e-9
    assert skeleton_content(skeleton(zeros)) == skeleton_content(skeleton(minus))
    assert skeleton_content(skeleton(zeros)) != skeleton_content(skeleton(absent))


def test_a_skeleton_without_joints_has_no_content() -> None:
    assert skeleton_content(skeleton(np.full((1, 4, 20, 3), np.nan))) == ""
    assert skeleton_content(skeleton(np.empty((0, 4, 20, 3)))) == ""
