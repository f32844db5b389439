"""The demo's three cameras: their positions, and the projection of points to Kinect v2's pixels.

Shape letters: ``...`` are leading axes, e.g. N persons, T frames, V joints. Lengths are in meters, or in
pixels if a name ends in _px.
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
    """Position of a camera in the scene, and its x, y and z axes there as the rows of ``axes_33``."""

    position_3: Array
    axes_33: Array


def make_camera(seed: int, *, setup: int, camera: int) -> Camera:
    """Return camera 1 to 3 of a setup: 1 looks from the front, 2 and 3 from 45° to either side.

    As in NTU RGB+D, height and distance differ between setups; here the bearing varies slightly as well.
    """
    rng = np.random.default_rng(derive_seed(seed, "camera", setup, camera))
    bearing = _BEARINGS[camera - 1] + rng.uniform(-0.08, 0.08)
    distance_m, height_m = rng.uniform(2.9, 3.5), rng.uniform(1.1, 1.7)
    position_3 = np.array((distance_m * np.sin(bearing), height_m, distance_m * np.cos(bearing)))
    away = np.array((0.0, _AIM_HEIGHT_M, 0.0)) - position_3
    away /= np.linalg.norm(away)
    # Kinect axes are right-handed with y up and z away, so x points to the camera's left. Its RGB image is
    # mirrored: a person's right hand is on the right.
    left = np.cross((0.0, 1.0, 0.0), away)
    left /= np.linalg.norm(left)
    return Camera(position_3, np.stack((left, np.cross(away, left), away)))


def to_camera(camera: Camera, scene: Array) -> Array:
    """Transform scene points ``[..., 3]`` to the camera's axes."""
    points: Array = (scene - camera.position_3) @ camera.axes_33.T
    return points


def colour_pixels(points: Array) -> Array:
    """Project camera points ``[..., 3]`` to pixels ``[..., 2]`` of the 1920x1080 RGB image, y downward."""
    return _project(points, _COLOUR_FOCAL_PX, _COLOUR_CENTRE_PX)


def depth_pixels(points: Array) -> Array:
    """Project camera points ``[..., 3]`` to pixels ``[..., 2]`` of the 512x424 depth image, y downward."""
    return _project(points, _DEPTH_FOCAL_PX, _DEPTH_CENTRE_PX)


def _project(points: Array, focal_px: tuple[float, float], centre_px: tuple[float, float]) -> Array:
    pixels: Array = points[..., :2] / points[..., 2:] * focal_px + centre_px
    return pixels
