"""Boxes of hands and body: places by hand, missing joints, sizes of images, layouts without hands."""

import math

import numpy as np
import pytest

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import COCO_17, KINECT_V1_20, KINECT_V2_25, Skeleton
from autohier.data.transforms.boxes import Box
from autohier.data.transforms.parts import Picture, hand_joints, part_boxes
from autohier.errors import InputError

LAYOUT = JointLayout("stick", ("head", "left wrist", "right wrist", "foot"), ((1, 0), (2, 0), (3, 0)))
HANDS = {"left_hand": (1,), "right_hand": (2,)}
WHOLE = Picture(100, Box(0, 0, 100, 100), (100, 100))


def skeleton(*frames, size=(100, 100), scores=None):
    """Return one person with these places of head, left wrist, right wrist and foot in each frame."""
    pixels_MTV2 = np.array([frames], dtype=np.float32)
    return Skeleton(
        joints_MTV3_m=np.full((*pixels_MTV2.shape[:3], 3), np.nan, dtype=np.float32),
        pixels_MTV2=pixels_MTV2,
        image_width_px=size[0],
        image_height_px=size[1],
        layout="stick",
        scores_MTV=scores,
    )


STILL = ((50, 20), (30, 40), (70, 40), (50, 70))
"""A person of 40 by 50 pixels."""


def boxes(people, picture=WHOLE, hand_size=0.4):
    return part_boxes(people, HANDS, picture, hand_size=hand_size)


def test_boxes_of_a_still_person():
    # A hand has 0.4 * 50 = 20 pixels around its wrist; the body a tenth of 40 and of 50 more on each side.
    assert boxes(skeleton(STILL)) == {
        "left_hand": (20, 30, 40, 50),
        "right_hand": (60, 30, 80, 50),
        "body": (26, 15, 74, 75),
    }


def test_a_box_holds_the_hand_of_all_frames():
    raised = ((50, 20), (30, 24), (70, 40), (50, 70))
    # The left wrist moves by 16 rows: a square of 36 pixels around their middle (30, 32).
    assert boxes(skeleton(STILL, raised))["left_hand"] == (12, 14, 48, 50)
    assert boxes(skeleton(STILL, raised))["right_hand"] == (60, 30, 80, 50)


def test_a_box_is_moved_into_the_picture_and_cut_if_it_is_larger():
    low = ((50, 20), (2, 40), (70, 40), (50, 99))
    found = boxes(skeleton(low))
    # The person has 68 by 79 pixels, so a hand has 31.6.
    assert found["left_hand"] == (0, 24, 32, 56)
    assert found["body"] == (0, 12, 77, 100)


def test_pictures_show_a_part_of_a_video_of_another_size():
    # The image of the joints is half the video's, of which the picture shows the middle in 50 pixels.
    picture = Picture(50, Box(50, 50, 150, 150), (200, 200))
    # The video has the left wrist at (60, 80) and hands of 40 pixels: 40..80 and 60..100, moved to 50..90.
    assert boxes(skeleton(STILL), picture)["left_hand"] == (0, 5, 20, 25)


def test_a_hand_without_joints_gets_the_box_of_the_body():
    hidden = ((50, 20), (math.nan, math.nan), (70, 40), (50, 70))
    found = boxes(skeleton(hidden))
    assert found["left_hand"] == found["body"] == (48, 15, 72, 75)


def test_joints_of_low_score_are_absent():
    scores_MTV = np.array([[[0.9, 0.0, 0.9, 0.9]]], dtype=np.float32)
    assert boxes(skeleton(STILL, scores=scores_MTV))["body"] == (48, 15, 72, 75)


@pytest.mark.parametrize("num_persons", [0, 1])
def test_a_clip_without_joints_is_read_whole(num_persons):
    people = skeleton(STILL)
    pixels_MTV2 = np.full((num_persons, 1, 4, 2), np.nan, dtype=np.float32)
    people = Skeleton(pixels_MTV2.repeat(2, axis=3)[..., :3], pixels_MTV2, 100, 100, "stick")
    assert set(boxes(people).values()) == {Box(0, 0, 100, 100)}


def test_other_persons_do_not_count():
    people = skeleton(STILL)
    other_MTV2 = np.concatenate([people.pixels_MTV2, people.pixels_MTV2 + 10])
    both = Skeleton(people.joints_MTV3_m.repeat(2, axis=0), other_MTV2, 100, 100, "stick")
    assert boxes(both) == boxes(people)


def test_a_point_has_a_box_of_two_pixels():
    point = skeleton(((99.5, 99.5),) * 4)
    assert set(boxes(point).values()) == {Box(98, 98, 100, 100)}


def test_joints_of_hands_have_a_side_and_the_wrist():
    assert hand_joints(COCO_17) == {"left_hand": (9,), "right_hand": (10,)}
    for layout, names in (
        (KINECT_V1_20, {"left hand", "left wrist"}),
        (KINECT_V2_25, {"left hand", "left wrist", "left hand tip", "left thumb"}),
    ):
        assert {layout.joint_names[joint] for joint in hand_joints(layout)["left_hand"]} == names


def test_a_layout_without_hands_is_refused():
    layout = JointLayout("armless", ("head", "left wrist"), ((1, 0),))
    with pytest.raises(InputError, match="must name joints of both hands"):
        hand_joints(layout)
