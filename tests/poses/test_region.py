"""Regions of a frame: pictures cut out of them, and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.poses.region import Region, around_box, around_frame, from_corner

FRAME = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_the_whole_frame_is_itself():
    np.testing.assert_array_equal(Region(3, 2, 6, 4).cut_out(FRAME, 6, 4), FRAME)


@pytest.mark.parametrize(("quarters", "turned"), [(1, 1), (2, 2), (3, 3), (-1, 3)])
def test_a_region_that_is_turned_clockwise_is_shown_upright(quarters: int, turned: int):
    """The right side of a region turned by 90 degrees is at the bottom of the frame."""
    square = FRAME[:, :4]
    cut = Region(2, 2, 4, 4, angle_rad=quarters * math.pi / 2).cut_out(square, 4, 4)
    np.testing.assert_allclose(cut.astype(int), np.rot90(square, turned), atol=1)  # rounding


def test_what_lies_beyond_the_frame_is_filled():
    region = around_frame(FRAME)
    assert (region.centre_x, region.centre_y, region.width, region.height) == (3, 2, 6, 6)
    cut = region.cut_out(FRAME, 6, 6, fill=114)
    assert (cut[[0, 5]] == 114).all()
    np.testing.assert_array_equal(cut[1:5], FRAME)


def test_the_frame_is_in_the_first_corner():
    region = from_corner(np.zeros((100, 300, 3), np.uint8), 60, 40)
    assert (region.width, region.height) == (300, 200)
    np.testing.assert_allclose(region.to_frame(np.array([[0, 0], [1, 0.5]])), [[0, 0], [300, 100]])


def test_a_box_is_enlarged_to_the_proportions():
    region = around_box(np.array([10, 20, 30, 100]), 48, 64, margin=1.25)
    assert (region.centre_x, region.centre_y) == (20, 60)
    assert (region.width, region.height) == (75, 100)


@given(
    centre=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    side=st.floats(1, 100),
    angle=st.floats(-4, 4),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_places_are_those_of_rotation(centre, side, angle, share):
    """A point is the center plus its offset, rotated by the angle."""
    (place,) = Region(*centre, side, side, angle).to_frame(np.array([share]))
    offset = (complex(*share) - (0.5 + 0.5j)) * side * complex(math.cos(angle), math.sin(angle))
    np.testing.assert_allclose(place, [centre[0] + offset.real, centre[1] + offset.imag], atol=1e-3)
