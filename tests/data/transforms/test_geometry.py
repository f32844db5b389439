"""Projection, boxes, cropping and joint layouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import LAYOUTS, Skeleton
from autohier.data.transforms.boxes import Box, skeleton_box, whole_frame
from autohier.data.transforms.crop import crop_and_resize
from autohier.data.transforms.projection import KINECT_V1_COLOUR, NTU_COLOUR, UTD_DEPTH
from autohier.errors import ClipError


def skeleton_at(points: ArrayLike, width: int = 1000, height: int = 500) -> Skeleton:
    pixels = np.array(points, dtype=np.float32).reshape(1, 1, -1, 2)
    joints = np.zeros((*pixels.shape[:3], 3), dtype=np.float32)
    return Skeleton(joints, pixels, width, height, "kinect-v2-25")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layout_is_a_tree_over_all_its_joints(layout: JointLayout) -> None:
    assert len(layout.edges) == layout.num_joints - 1
    reached = {0}
    for _ in layout.edges:
        reached |= {joint for edge in layout.edges if reached & set(edge) for joint in edge}
    assert reached == set(range(layout.num_joints))
    assert len(set(layout.joint_names)) == layout.num_joints


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bones_are_symmetric(layout: JointLayout) -> None:
    names = layout.joint_names
    bones = {frozenset((names[child], names[parent])) for child, parent in layout.edges}
    swapped = {
        frozenset(name.replace("left", "*").replace("right", "left").replace("*", "right") for name in bone)
        for bone in bones
    }
    assert bones == swapped


def test_a_joint_above_the_axis_is_projected_to_the_upper_half() -> None:
    # A joint at a distance of 2 m, 0.5 m right of and 1 m above the axis of a 640x480 camera:
    # 320 + 558.1 * 0.5 / 2 = 459.525 and 240 - 579.5 * 1 / 2 = -49.75.
    joint = np.array([[[[0.5, 1.0, 2.0]]]], dtype=np.float32)
    np.testing.assert_allclose(KINECT_V1_COLOUR.project(joint)[0, 0, 0], (459.525, -49.75), rtol=1e-5)
    np.testing.assert_allclose(UTD_DEPTH.project(joint)[0, 0, 0], (459.525 / 2, -49.75 / 2), rtol=1e-5)
    np.testing.assert_allclose(
        NTU_COLOUR.project(joint)[0, 0, 0], (1055 / 4 + 977, 560 - 1057 / 2), rtol=1e-5
    )


@pytest.mark.parametrize(
    "joint", [(0.1, 0.2, 0.0), (0.1, 0.2, -1.0), (np.nan, 0.2, 1.0), (0.1, 0.2, np.nan), (0.1, 0.0, 1e-45)]
)
def test_a_joint_that_is_not_in_front_of_the_camera_has_no_pixel(joint: tuple[float, ...]) -> None:
    with np.errstate(all="raise", under="ignore"):
        projected = UTD_DEPTH.project(np.array(joint, dtype=np.float32).reshape(1, 1, 1, 3))
    assert np.isnan(projected).all()


def test_the_box_is_widened_by_a_tenth_and_scaled_to_the_video() -> None:
    # Joints span 100..300 x 100..200 of 1000x500; +10%: 80..320 x 90..210; the video is half as large.
    skeleton = skeleton_at([(100, 100), (300, 200), (np.nan, np.nan), (np.inf, 3)])
    assert skeleton_box(skeleton, width_px=500, height_px=250) == Box(40, 45, 160, 105)


def test_the_box_ignores_joints_at_the_origin_and_with_a_score_of_0() -> None:
    # Files write zeros for absent persons and for joints that were not detected.
    present = skeleton_at([(100, 100), (300, 200)])
    padded = skeleton_at([(100, 100), (300, 200), (0, 0), (700, 400)])
    scored = replace(padded, scores_MTV=np.array([[[0.5, 1, 1, 0]]], dtype=np.float32))
    assert skeleton_box(scored, width_px=1000, height_px=500) == Box(80, 90, 320, 210)
    assert skeleton_box(present, width_px=1000, height_px=500) == Box(80, 90, 320, 210)
    unscored = replace(padded, scores_MTV=np.zeros((1, 1, 4), np.float32))
    with pytest.raises(ClipError, match="must have joints in its image"):
        skeleton_box(unscored, width_px=1000, height_px=500)


def test_the_box_is_clipped_to_the_frame() -> None:
    skeleton = skeleton_at([(-1e5, 20), (700, 1e5)])
    assert skeleton_box(skeleton, width_px=1000, height_px=500).left_px == 0
    assert skeleton_box(skeleton, width_px=1000, height_px=500)[2:] == (1000, 500)


@pytest.mark.parametrize("points", [[(np.nan, np.nan)], [(2000, 100), (2200, 300)], [(500, -90), (600, -10)]])
def test_a_skeleton_outside_its_image_has_no_box(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ClipError, match="must have joints in its image"):
        skeleton_box(skeleton_at(points), width_px=1000, height_px=500)


coordinates = st.floats(-3000, 3000, width=32)


@given(
    points=st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12),
    width=st.integers(10, 2000),
    height=st.integers(10, 2000),
)
def test_a_box_lies_in_the_frame_and_contains_every_joint_in_the_frame(
    points: list[tuple[float, float]], width: int, height: int
) -> None:
    try:
        box = skeleton_box(skeleton_at(points, width, height), width_px=width, height_px=height)
    except ClipError:
        return
    assert 0 <= box.left_px < box.right_px <= width
    assert 0 <= box.top_px < box.bottom_px <= height
    for x, y in points:
        if (x, y) != (0, 0) and 0 <= x <= width and 0 <= y <= height:
            assert box.left_px <= x <= box.right_px
            assert box.top_px <= y <= box.bottom_px


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_shows_only_the_box(channels: int) -> None:
    frame = np.zeros((40, 60, channels), dtype=np.uint8)
    frame[10:20, 30:50] = 200
    inside = np.asarray(crop_and_resize(frame, Box(30, 10, 50, 20), 16))
    assert inside.shape == ((16, 16) if channels == 1 else (16, 16, 3))
    assert (inside == 200).all()
    # Of the whole frame the bright part is 20 * 10 / (60 * 40) = 1/12.
    whole = np.asarray(crop_and_resize(frame, whole_frame(60, 40), 24), dtype=np.float64)
    assert whole.mean() == pytest.approx(200 / 12, rel=0.05)
