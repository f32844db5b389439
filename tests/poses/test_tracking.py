"""Persons followed over frames."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.poses.estimator import FoundPerson
from autohier.poses.tracking import follow


def person(x: float, score: float = 0.9) -> FoundPerson:
    """Return a person of three joints, 40 pixels high, around a place."""
    joints = np.array([[x - 5, 80], [x + 5, 100], [x, 120]], np.float32)
    return FoundPerson(joints, np.full(3, score, np.float32))


def middles(frames, *, max_persons=2):
    """Return the place of each person in each frame; None where it is absent."""
    poses = follow(frames, num_joints=3, max_persons=max_persons)
    assert ((poses.keypoint_score_MTV > 0).any(axis=2) == poses.keypoint_MTV2.any(axis=(2, 3))).all()
    return [
        [float(x) if score else None for x, score in zip(row, scores, strict=True)]
        for row, scores in zip(
            poses.keypoint_MTV2[:, :, 2, 0], poses.keypoint_score_MTV.any(axis=2), strict=True
        )
    ]


def test_persons_keep_their_rows_in_any_order():
    frames = [[person(50), person(200, 0.8)], [person(203, 0.8), person(52)], [person(54), person(206, 0.8)]]
    assert middles(frames) == [[50, 52, 54], [200, 203, 206]]


def test_pairs_are_chosen_together():
    """The left person of frame 2 is nearest to the right one of frame 1, who is nearest to another."""
    frames = [[person(100), person(112, 0.8)], [person(110), person(121, 0.8)]]
    assert middles(frames) == [[100, 110], [112, 121]]


@pytest.mark.parametrize(("gap", "same"), [(29, True), (30, False)])
def test_a_person_may_be_missed_for_a_second(gap: int, same: bool):
    (first, *others) = middles([[person(50)], *[[]] * gap, [person(50)]])
    assert [first[0], first[-1]] == ([50, 50] if same else [50, None])
    assert len(others) == (not same)


def test_the_surest_persons_are_kept():
    frames = [[person(50, 0.3), person(200), person(400, 0.5)]] * 2
    assert middles(frames) == [[200, 200], [400, 400]]
    assert middles(frames, max_persons=1) == [[200, 200]]


def test_a_jump_is_another_person():
    assert middles([[person(50)], [person(300)]]) == [[50, None], [None, 300]]


def test_joints_that_only_one_frame_shows_do_not_count():
    hidden = FoundPerson(
        np.array([[0, 0], [55, 100], [50, 120]], np.float32), np.array([0, 0.9, 0.9], np.float32)
    )
    (row,) = middles([[person(50)], [hidden]])
    assert row == [50, 50]


def test_no_person():
    poses = follow([[], []], num_joints=3, max_persons=2)
    assert poses.keypoint_MTV2.shape == (0, 2, 3, 2)
    assert poses.keypoint_score_MTV.shape == (0, 2, 3)
