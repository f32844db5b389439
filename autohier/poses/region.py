"""Rectangles of a frame that a network reads, which may be turned: cutting them out, and the way back.

Points are in pixels, and (0, 0) is the corner of the first pixel.

Legend: H W pixels, N points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, slots=True)
class Region:
    """Rectangle in a frame, turned about its center; it may extend beyond the frame."""

    centre_x: float
    centre_y: float
    width: float
    """Width in pixels of the frame."""
    height: float
    """Height in pixels of the frame."""
    angle_rad: float = 0.0
    """Angle by which the rectangle is turned, clockwise as seen in the picture."""

    def cut_out(
        self, frame_HW3: NDArray[np.uint8], width_px: int, height_px: int, *, fill: int = 0
    ) -> NDArray[np.uint8]:
        """Return the upright picture of the rectangle, RGB [height_px, width_px, 3], bilinear.

        Args:
            frame_HW3: the frame.
            width_px: width of the picture.
            height_px: height of the picture.
            fill: value of what lies beyond the frame.
        """
        corner, right, down = self._axes()
        data = (
            *(right[0] / width_px, down[0] / height_px, corner[0]),
            *(right[1] / width_px, down[1] / height_px, corner[1]),
        )
        picture = Image.fromarray(frame_HW3).transform(
            (width_px, height_px),
            Image.Transform.AFFINE,
            data,
            resample=Image.Resampling.BILINEAR,
            fillcolor=(fill, fill, fill),
        )
        return np.asarray(picture)

    def to_frame(self, shares_N2: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the places in the frame of points that are given as shares of the rectangle, 0..1."""
        corner, right, down = self._axes()
        places: NDArray[np.float32] = (
            np.array(corner) + shares_N2[:, :1] * np.array(right) + shares_N2[:, 1:2] * np.array(down)
        ).astype(np.float32)
        return places

    def _axes(self) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
        """Return the first corner, and the sides to the right and down, of the turned rectangle."""
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        right = (self.width * cos, self.width * sin)
        down = (-self.height * sin, self.height * cos)
        corner = (
            self.centre_x - (right[0] + down[0]) / 2,
            self.centre_y - (right[1] + down[1]) / 2,
        )
        return corner, right, down


def around_frame(frame_HW3: NDArray[np.uint8]) -> Region:
    """Return the smallest square around a frame that has the frame in its middle."""
    height, width = frame_HW3.shape[:2]
    side = max(height, width)
    return Region(width / 2, height / 2, side, side)


def from_corner(frame_HW3: NDArray[np.uint8], width_px: int, height_px: int) -> Region:
    """Return the smallest rectangle of a picture's proportions that has the frame in its first corner."""
    height, width = frame_HW3.shape[:2]
    scale = max(width / width_px, height / height_px)
    return Region(scale * width_px / 2, scale * height_px / 2, scale * width_px, scale * height_px)


def around_box(box_4: NDArray[np.floating], width_px: int, height_px: int, *, margin: float) -> Region:
    """Return the smallest rectangle of a picture's proportions around a box, enlarged.

    Args:
        box_4: x and y of the first corner and of the last one.
        width_px: width of the picture.
        height_px: height of the picture.
        margin: factor by which it is enlarged, e.g. 1.25.
    """
    left, top, right, bottom = (float(value) for value in box_4)
    scale = margin * max((right - left) / width_px, (bottom - top) / height_px, 1e-6)
    return Region((left + right) / 2, (top + bottom) / 2, scale * width_px, scale * height_px)
