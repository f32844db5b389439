"""Pictures of a live recognition: persons where they are, and bars as long as the confidences."""

from __future__ import annotations

import numpy as np

from autohier.deploy.live.recognizer import LiveLabel
from autohier.poses.estimator import FoundPerson
from autohier.reports.clips.live_picture import draw_live

BONES = ((1, 0), (2, 1))
GRAY = 128
LABEL = LiveLabel(0, 9, 0.4, ("wave", "jump"), (0.75, 0.25))


def person(scores: list[float]) -> FoundPerson:
    joints = np.array([[100, 300], [200, 300], [300, 300]], np.float32)
    return FoundPerson(joints, np.array(scores, np.float32))


def gray_picture() -> np.ndarray:
    return np.full((480, 640, 3), GRAY, np.uint8)


def test_bones_and_joints_are_drawn_where_they_are() -> None:
    picture = gray_picture()
    drawn = draw_live(picture, [person([0.9, 0.9, 0.0])], BONES, None)
    assert (picture == GRAY).all()
    assert drawn.shape == picture.shape
    is_changed = (drawn != GRAY).any(axis=2)
    assert is_changed[300, 100:200].all()  # the bone between the joints that are seen
    assert not is_changed[300, 210:].any()  # the third joint is absent
    assert not is_changed[310:].any()


def test_persons_have_colors_of_their_own() -> None:
    other = FoundPerson(
        person([0.9] * 3).joints_V2 + np.array([0, 100], np.float32), np.full(3, 0.9, np.float32)
    )
    drawn = draw_live(gray_picture(), [person([0.9] * 3), other], BONES, None)
    assert tuple(drawn[300, 150]) != tuple(drawn[400, 150])


def test_bars_are_as_long_as_the_confidences() -> None:
    """The bar of a confidence of 1 is half of the picture, so that of 0.75 ends at 240 of 640 pixels."""
    drawn = draw_live(gray_picture(), [], BONES, LABEL)
    greens = [(row[:, 1].astype(int) > row[:, 0] + 50).nonzero()[0] for row in (drawn[3], drawn[28])]
    assert [int(columns.max()) for columns in greens] == [240, 80]
    assert (drawn[60:] == GRAY).all()


def test_a_window_that_could_not_be_read_says_why() -> None:
    fault = LiveLabel(0, 9, 0.4, (), (), "a window must show a person")
    drawn = draw_live(gray_picture(), [], BONES, fault)
    assert (drawn[:25] > 200).any()  # text
    assert (drawn[30:] == GRAY).all()
