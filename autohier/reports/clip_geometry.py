"""Where joints lie: in a source frame, in its box, and in the square that the store keeps of it.

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
    """A rectangle; rows run down."""

    left: float
    top: float
    right: float
    bottom: float


def source_points(skeleton: Skeleton, video_size_px: tuple[int, int]) -> Points:
    """Joints [M, T, V, 2] in pixels of the source video, NaN where absent.

    Args:
        skeleton: pixels in an image that may be larger or smaller than the video.
        video_size_px: width and height of the video.
    """
    image_2 = np.array([skeleton.image_width_px, skeleton.image_height_px], dtype=np.float64)
    points_MTV2: Points = skeleton.pixels_MTV2 * (np.array(video_size_px) / image_2)
    return points_MTV2


def front_points(skeleton: Skeleton) -> Points:
    """Joints [M, T, V, 2] in metres as seen from the front, without perspective; rows run down."""
    points_MTV2: Points = skeleton.joints_MTV3_m[..., :2] * np.array([1.0, -1.0])
    return points_MTV2


def to_square(points: Points, window: Window, side_px: int) -> Points:
    """Points [..., 2] as pixels of a square of this side to which the window is stretched."""
    left, top, right, bottom = window
    stretched: Points = (points - (left, top)) * side_px / (right - left, bottom - top)
    return stretched


def share_inside(points: Points, window: Window) -> float:
    """The share of the finite points [..., 2] that lie in a window, its border included; NaN of none."""
    points_N2 = finite_points(points)
    if len(points_N2) == 0:
        return float("nan")
    inside_N2 = (points_N2 >= window[:2]) & (points_N2 <= window[2:])
    return float(inside_N2.all(axis=1).mean())


def finite_points(points: Points) -> Points:
    """The points [..., 2] that are there, as [N, 2]."""
    points_N2 = points.reshape(-1, 2)
    return points_N2[np.isfinite(points_N2).all(axis=1)]


def square_around(points: Points) -> Window:
    """The smallest square around the finite points [..., 2], widened by a tenth on each side.

    A unit square where there are none, or all are one.
    """
    points_N2 = finite_points(points)
    if len(points_N2) == 0:
        return Window(-0.5, -0.5, 0.5, 0.5)
    low_2, high_2 = points_N2.min(axis=0), points_N2.max(axis=0)
    half = float((high_2 - low_2).max()) * (0.5 + _MARGIN) or 0.5
    x, y = (float(value) for value in (low_2 + high_2) / 2)
    return Window(x - half, y - half, x + half, y + half)
