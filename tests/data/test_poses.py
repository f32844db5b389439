"""Poses as files keep them: who is there, and who comes first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from autohier.data.datasets.poses import skeleton_of_poses
from autohier.data.skeleton import COCO_17, KINECT_V2_25, shown_joints
from autohier.errors import ClipError


def three_people(num_joints: int, num_coordinates: int) -> NDArray[np.float32]:
    """[3, 4, V, C]: the first is shown in frame 1, the second in all, the third in frames 0 and 1."""
    rng = np.random.default_rng(0)
    values_MTVC = rng.uniform(1, 9, (3, 4, num_joints, num_coordinates)).astype(np.float32)
    values_MTVC[0, [0, 2, 3]] = 0
    values_MTVC[2, 2:] = 0
    return values_MTVC


def test_who_is_shown_in_most_frames_comes_first() -> None:
    values_MTVC = three_people(25, 3)
    joints_MTV3 = skeleton_of_poses(values_MTVC, None, None, KINECT_V2_25).joints_MTV3_m
    shown_MT = np.isfinite(joints_MTV3).all(axis=(2, 3))
    assert shown_MT.tolist() == [[True] * 4, [True, True, False, False], [False, True, False, False]]
    for person, before in enumerate((1, 2, 0)):
        np.testing.assert_array_equal(joints_MTV3[person, 1], values_MTVC[before, 1])


def test_scores_go_with_their_persons_and_equals_stay_in_order() -> None:
    scores_MTV = np.arange(3, dtype=np.float32)[:, None, None] + np.zeros((3, 4, 17), dtype=np.float32)
    moved = skeleton_of_poses(three_people(17, 2), scores_MTV / 2, (10, 10), COCO_17)
    assert moved.scores_MTV is not None
    assert moved.scores_MTV[:, 0, 0].tolist() == [0.5, 1.0, 0.0]
    alike = skeleton_of_poses(np.ones((3, 4, 17, 2)), scores_MTV, (10, 10), COCO_17)
    assert alike.scores_MTV is not None
    assert alike.scores_MTV[:, 0, 0].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("nobody", [0.0, np.nan, np.inf])
def test_a_clip_that_shows_nobody_is_refused(nobody: float) -> None:
    for layout, shape in ((COCO_17, (2, 3, 17, 2)), (KINECT_V2_25, (2, 3, 25, 3))):
        with pytest.raises(ClipError, match="a skeleton must hold a body"):
            skeleton_of_poses(np.full(shape, nobody), None, (10, 10), layout)


def test_a_joint_at_the_origin_is_absent_from_an_image_and_may_be_the_origin_of_a_body() -> None:
    image_MTV2, space_MTV3 = np.ones((2, 1, 4, 2)), np.ones((2, 1, 4, 3))
    for places in (image_MTV2, space_MTV3):
        places[0, 0, 2] = 0
        places[1] = 0
        places[0, 0, 3, 0] = np.nan
    assert shown_joints(image_MTV2).tolist() == [[[True, True, False, False]], [[False] * 4]]
    assert shown_joints(space_MTV3).tolist() == [[[True, True, True, False]], [[False] * 4]]
