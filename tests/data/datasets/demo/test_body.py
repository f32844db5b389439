"""Bodies: constant bone lengths, feet on the floor, and the direction of rotations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autohier.data.datasets.demo import body
from autohier.data.datasets.demo.body import PARENTS, Motion, make_person, pose_body

PARENT_OF = list(PARENTS)


def resting(num_frames: int = 1) -> Motion:
    return Motion(np.zeros((num_frames, body.NUM_JOINTS, 3)), np.zeros((num_frames, 3)))


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31 - 1), subject=st.integers(1, 999))
def test_bone_lengths_stay_constant_under_any_angles(seed: int, subject: int) -> None:
    rng = np.random.default_rng(seed)
    motion = Motion(rng.uniform(-np.pi, np.pi, (6, body.NUM_JOINTS, 3)), rng.normal(0, 1, (6, 3)))
    person = make_person(seed, subject)
    positions_TV3 = pose_body(person, motion)
    lengths_TV = np.linalg.norm(positions_TV3 - positions_TV3[:, PARENT_OF], axis=-1)
    assert lengths_TV == pytest.approx(np.tile(np.linalg.norm(person.offsets_V3, axis=-1), (6, 1)), abs=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31 - 1))
def test_lowest_of_ankles_and_feet_stays_at_one_height(seed: int) -> None:
    rng = np.random.default_rng(seed)
    motion = Motion(rng.uniform(-1, 1, (5, body.NUM_JOINTS, 3)), np.zeros((5, 3)))
    sole_heights_m = pose_body(make_person(0, 1), motion)[:, [14, 15, 18, 19], 1].min(axis=1)
    assert sole_heights_m == pytest.approx(np.full(5, sole_heights_m[0]))
    assert 0 < sole_heights_m[0] < 0.1


def test_the_spine_base_is_the_root_of_all_joints() -> None:
    ancestors = list(range(body.NUM_JOINTS))
    for _ in range(body.NUM_JOINTS):
        ancestors = [PARENTS[joint] for joint in ancestors]
    assert set(ancestors) == {body.SPINE_BASE}


def test_leaves_are_head_hand_tips_thumbs_and_feet() -> None:
    assert {3, 15, 19, 21, 22, 23, 24} == body.LEAVES


def test_the_resting_body_is_upright_symmetric_and_of_human_size() -> None:
    positions_V3 = pose_body(make_person(3, 1), resting())[0]
    left, right = positions_V3[[4, 5, 6, 7, 12, 13, 14, 15]], positions_V3[[8, 9, 10, 11, 16, 17, 18, 19]]
    assert left == pytest.approx(right * (-1, 1, 1))
    assert (left[:, 0] > 0).all()
    assert positions_V3[body.HEAD, 1] > positions_V3[body.SPINE_SHOULDER, 1] > positions_V3[body.LEFT_KNEE, 1]
    assert 1.3 < positions_V3[body.HEAD, 1] < 1.9
    assert positions_V3[body.LEFT_FOOT, 2] > positions_V3[body.LEFT_ANKLE, 2]


def test_a_negative_rotation_about_x_lifts_an_arm_forward() -> None:
    motion = resting()
    motion.angles_TV3[:, body.RIGHT_SHOULDER, 0] = -np.pi / 2
    positions_V3 = pose_body(make_person(3, 1), motion)[0]
    arm = positions_V3[body.RIGHT_HAND] - positions_V3[body.RIGHT_SHOULDER]
    assert arm == pytest.approx((0, 0, np.linalg.norm(arm)), abs=1e-9)


def test_subjects_differ_and_are_reproducible() -> None:
    first, again, second = make_person(0, 1), make_person(0, 1), make_person(0, 2)
    assert (first.offsets_V3 == again.offsets_V3).all()
    assert (first.offsets_V3 != second.offsets_V3).any()
    assert first.shirt != second.shirt
