"""The demo's three cameras: where they stand and how a point becomes Kinect v2 coordinates and pixels.

Legend: ``...`` any leading axes, mostly N people, T frames, V joints. Metres, unless a name ends in _px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autohier.data.datasets.demo.body import Array
from autohier.digest import derive_seed

NUM_CAMERAS = 3
COLOUR_SIZE_PX = (1920, 1080)

_BEARINGS = (0.0, -np.pi / 4, np.pi / 4)
_COLOUR_FOCAL_PX, _COLOUR_CENTRE_PX = (1055.0, -1057.0), (977.0, 560.0)  # fitted to NTU's own files
_DEPTH_FOCAL_PX, _DEPTH_CENTRE_PX = (365.0, -365.0), (256.0, 208.0)  # a typical Kinect v2
_AIM_HEIGHT_M = 0.85


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera in the scene: its place, and the rows of ``axes_33`` are its x, y and z axes there."""

    place_3: Array
    axes_33: Array


def make_camera(seed: int, *, setup: int, camera: int) -> Camera:
    """Camera 1 to 3 of a setup: 1 looks from the front, 2 and 3 from 45° to either side of it.

    As in NTU RGB+D, height and distance change from setup to setup; here the bearing varies a little too.
    """
    rng = np.random.default_rng(derive_seed(seed, "camera", setup, camera))
    bearing = _BEARINGS[camera - 1] + rng.uniform(-0.08, 0.08)
    distance_m, height_m = rng.uniform(2.9, 3.5), rng.uniform(1.1, 1.7)
    place_3 = np.array((distance_m * np.sin(bearing), height_m, distance_m * np.cos(bearing)))
    away = np.array((0.0, _AIM_HEIGHT_M, 0.0)) - place_3
    away /= np.linalg.norm(away)
    # Kinect axes are right-handed with y up and z away, so x points to the camera's left; its colour
    # image is a mirror's, in which a person's right hand is on the right.
    left = np.cross((0.0, 1.0, 0.0), away)
    left /= np.linalg.norm(left)
    return Camera(place_3, np.stack((left, np.cross(away, left), away)))


def to_camera(camera: Camera, scene: Array) -> Array:
    """Scene points ``[..., 3]`` in the camera's axes."""
    points: Array = (scene - camera.place_3) @ camera.axes_33.T
    return points


def colour_pixels(points: Array) -> Array:
    """Camera points ``[..., 3]`` -> pixels ``[..., 2]`` of the 1920x1080 colour image, y downward."""
    return _project(points, _COLOUR_FOCAL_PX, _COLOUR_CENTRE_PX)


def depth_pixels(points: Array) -> Array:
    """Camera points ``[..., 3]`` -> pixels ``[..., 2]`` of the 512x424 depth image, y downward."""
    return _project(points, _DEPTH_FOCAL_PX, _DEPTH_CENTRE_PX)


def _project(points: Array, focal_px: tuple[float, float], centre_px: tuple[float, float]) -> Array:
    pixels: Array = points[..., :2] / points[..., 2:] * focal_px + centre_px
    return pixels
