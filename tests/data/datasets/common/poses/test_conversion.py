"""Conversion of pose arrays: absent joints and the order of persons."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from autohier.data.datasets.common.poses.conversion import skeleton_of_poses
from autohier.data.skeleton import COCO_17, KINECT_V2_25, present_joints
from autohier.errors import ClipError


def three_persons(num_joints: int, num_coordinates: int) -> NDArray[np.float32]:
    """[3, 4, V, C]: the first is shown in frame 1, the second in all, the third in frames 0 and 1."""
    rng = np.random.default_rng(0)
    values_MTVC = rng.uniform(1, 9, (3, 4, num_joints, num_coordinates)).astype(np.float32)
    values_MTVC[0, [0, 2, 3]] = 0
    values_MTVC[2, 2:] = 0
    return values_MTVC


def test_persons_are_sorted_by_their_number_of_frames() -> None:
    values_MTVC = three_persons(25, 3)
    joints_MTV3 = skeleton_of_poses(values_MTVC, None, None, KINECT_V2_25).joints_MTV3_m
    shown_MT = np.isfinite(joints_MTV3).all(axis=(2, 3))
    assert shown_MT.tolist() == [[True] * 4, [True, True, False, False], [False, True, False, False]]
    for person, before in enumerate((1, 2, 0)):
        np.testing.assert_array_equal(joints_MTV3[person, 1], values_MTVC[before, 1])


def test_scores_are_sorted_with_their_persons_and_ties_keep_their_order() -> None:
    scores_MTV = np.arange(3, dtype=np.float32)[:, None, None] + np.zeros((3, 4, 17), dtype=np.float32)
    reordered = skeleton_of_poses(three_persons(17, 2), scores_MTV / 2, (10, 10), COCO_17)
    assert reordered.scores_MTV is not None
    assert reordered.scores_MTV[:, 0, 0].tolist() == [0.5, 1.0, 0.0]
    tied = skeleton_of_poses(np.ones((3, 4, 17, 2)), (1 + scores_MTV) / 4, (10, 10), COCO_17)
    assert tied.scores_MTV is not None
    assert tied.scores_MTV[:, 0, 0].tolist() == [0.25, 0.5, 0.75]


def test_persons_without_a_score_come_last_and_have_no_position() -> None:
    scores_MTV = np.zeros((2, 4, 17), dtype=np.float32)
    scores_MTV[1, :, 3:] = 0.5
    skeleton = skeleton_of_poses(np.ones((2, 4, 17, 2)), scores_MTV, (10, 10), COCO_17)
    assert skeleton.num_visible_persons == 1
    assert np.isfinite(skeleton.pixels_MTV2[0, 0, :, 0]).tolist() == [False] * 3 + [True] * 14
    assert np.isnan(skeleton.pixels_MTV2[1]).all()


@pytest.mark.parametrize(("score", "said"), [(0.0, "0"), (0.01, "0.01"), (np.nan, "0")])
def test_a_clip_whose_scores_are_all_low_is_refused(score: float, said: str) -> None:
    reason = (
        rf"a joint whose score is above 0\.01, but got scores of at most {said}: leave out keypoint_score"
    )
    with pytest.raises(ClipError, match=reason):
        skeleton_of_poses(np.ones((1, 4, 17, 2)), np.full((1, 4, 17), score), (10, 10), COCO_17)


@pytest.mark.parametrize("absent", [0.0, np.nan, np.inf])
def test_a_clip_without_a_person_is_refused(absent: float) -> None:
    for layout, shape in ((COCO_17, (2, 3, 17, 2)), (KINECT_V2_25, (2, 3, 25, 3))):
        with pytest.raises(ClipError, match="a skeleton must contain a body"):
            skeleton_of_poses(np.full(shape, absent), None, (10, 10), layout)


def test_a_joint_at_the_origin_is_absent_in_pixels_but_not_in_metres() -> None:
    image_MTV2, space_MTV3 = np.ones((2, 1, 4, 2)), np.ones((2, 1, 4, 3))
    for joints in (image_MTV2, space_MTV3):
        joints[0, 0, 2] = 0
        joints[1] = 0
        joints[0, 0, 3, 0] = np.nan
    assert present_joints(image_MTV2).tolist() == [[[True, True, False, False]], [[False] * 4]]
    assert present_joints(space_MTV3).tolist() == [[[True, True, True, False]], [[False] * 4]]
