"""Positions of joints: in the source frame, in its crop box, and in the square frame of the store.

Shape letters: M persons, T frames, V joints, N points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import Skeleton

Points = NDArray[np.float64]
_MARGIN = 0.1


class Window(NamedTuple):
    """A rectangle; y points down."""

    left: float
    top: float
    right: float
    bottom: float


def source_points(skeleton: Skeleton, video_size_px: tuple[int, int]) -> Points:
    """Return joints [M, T, V, 2] in pixels of the source video, NaN if missing.

    Args:
        skeleton: its pixel coordinates may refer to an image of another size than the video.
        video_size_px: width and height of the video.
    """
    image_2 = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float64)
    points_MTV2: Points = skeleton.pixels_MTV2 * (np.array(video_size_px) / image_2)
    return points_MTV2


def front_points(skeleton: Skeleton) -> Points:
    """Return joints [M, T, V, 2] in meters, in an orthographic front view; y points down."""
    points_MTV2: Points = skeleton.joints_MTV3_m[..., :2] * np.array([1.0, -1.0])
    return points_MTV2


def to_square(points: Points, window: Window, side_px: int) -> Points:
    """Return points [..., 2] in pixels of a square image to which the window is resized."""
    left, top, right, bottom = window
    resized: Points = (points - (left, top)) * side_px / (right - left, bottom - top)
    return resized


def share_inside(points: Points, window: Window) -> float:
    """Return the share of finite points [..., 2] in a window, including its border; NaN if there are none."""
    points_N2 = finite_points(points)
    if len(points_N2) == 0:
        return float("nan")
    inside_N2 = (points_N2 >= window[:2]) & (points_N2 <= window[2:])
    return float(inside_N2.all(axis=1).mean())


def finite_points(points: Points) -> Points:
    """Return the finite ones of points [..., 2] as [N, 2]."""
    points_N2 = points.reshape(-1, 2)
    return points_N2[np.isfinite(points_N2).all(axis=1)]


def square_around(points: Points) -> Window:
    """Return the smallest square around finite points [..., 2], widened by a tenth on each side.

    The square has side 1 if there are no points, or all are equal.
    """
    points_N2 = finite_points(points)
    if len(points_N2) == 0:
        return Window(-0.5, -0.5, 0.5, 0.5)
    low_2, high_2 = points_N2.min(axis=0), points_N2.max(axis=0)
    half = float((high_2 - low_2).max()) * (0.5 + _MARGIN) or 0.5
    x, y = (float(value) for value in (low_2 + high_2) / 2)
    return Window(x - half, y - half, x + half, y + half)
