"""Cameras: Kinect's axes, NTU's pixels, and three views of one scene."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.data.datasets.demo.cameras import colour_pixels, depth_pixels, make_camera, to_camera


@pytest.mark.parametrize("camera", [1, 2, 3])
def test_axes_are_a_rotation_looking_at_the_scene(camera: int) -> None:
    view = make_camera(0, setup=1, camera=camera)
    assert view.axes_33 @ view.axes_33.T == pytest.approx(np.eye(3))
    assert np.linalg.det(view.axes_33) == pytest.approx(1)
    x, _, z = to_camera(view, np.array((0.0, 0.85, 0.0)))
    assert x == pytest.approx(0, abs=1e-9)
    assert 2.5 < z < 4.5


def test_bearings_are_0_and_45_degrees_to_either_side() -> None:
    positions = [make_camera(0, setup=1, camera=camera).position_3 for camera in (1, 2, 3)]
    degrees = [float(np.degrees(np.arctan2(x, z))) for x, _, z in positions]
    assert degrees == pytest.approx([0, -45, 45], abs=5)


def test_a_facing_person_is_mirrored_as_in_kinect() -> None:
    # The right hand of a person who faces the camera is at negative scene x, and at greater x in NTU's files.
    view = make_camera(0, setup=1, camera=1)
    right, left = to_camera(view, np.array(((-0.5, 1.0, 0.0), (0.5, 1.0, 0.0))))
    assert right[0] > left[0]
    assert colour_pixels(right)[0] > colour_pixels(left)[0]


def test_pixels_match_values_derived_by_hand() -> None:
    # 1055 * 0.5 / 2 + 977 = 1240.75 and -1057 * 0.4 / 2 + 560 = 348.6: up in the scene is up in the image.
    assert colour_pixels(np.array((0.5, 0.4, 2.0))) == pytest.approx((1240.75, 348.6))
    # 365 * 0.5 / 2 + 256 = 347.25 and -365 * 0.4 / 2 + 208 = 135.
    assert depth_pixels(np.array((0.5, 0.4, 2.0))) == pytest.approx((347.25, 135.0))


def test_the_floor_is_below_the_head_in_every_view() -> None:
    for camera in (1, 2, 3):
        head, floor = to_camera(make_camera(5, setup=2, camera=camera), np.array(((0, 1.7, 0), (0, 0, 0))))
        assert colour_pixels(head)[1] < colour_pixels(floor)[1]
