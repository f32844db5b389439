"""Projection of joints from camera coordinates to image pixels.

HAC eq. (1) prints v = by + cy * Y / Z. The sign of y must be negative: Kinect's y points up and image rows
run down. On real UTD-MHAD clips, '+' places 49% of the joints on the person and '-' 93%. The pixels in NTU's
files follow the same sign.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """Camera without distortion.

    Attributes:
        focal_x_px: focal length in pixel widths (HAC's cx).
        focal_y_px: focal length in pixel heights (HAC's cy).
        centre_x_px: column of the optical axis (HAC's bx).
        centre_y_px: row of the optical axis (HAC's by).
        image_width_px: width of its images.
        image_height_px: height of its images.
    """

    focal_x_px: float
    focal_y_px: float
    centre_x_px: float
    centre_y_px: float
    image_width_px: int
    image_height_px: int

    def project(self, joints_MTV3_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return image positions [M, T, V, 2] in pixels.

        A position is NaN if the joint is absent, is not in front of the camera, or lies so close to the
        camera's plane that float32 cannot hold the position.
        """
        x, y, z = np.moveaxis(joints_MTV3_m, -1, 0)
        depth = np.where(z > 0, z, np.float32(np.nan))
        with np.errstate(over="ignore"):
            columns = self.centre_x_px + self.focal_x_px * x / depth
            rows = self.centre_y_px - self.focal_y_px * y / depth
            pixels_MTV2 = np.stack((columns, rows), axis=-1).astype(np.float32)
        return np.where(np.isfinite(pixels_MTV2).all(axis=-1, keepdims=True), pixels_MTV2, np.float32(np.nan))


# Fitted to the color pixels in real NTU files; used if a file holds joints but no valid pixel.
NTU_COLOUR = PinholeCamera(1055.0, 1057.0, 977.0, 560.0, 1920, 1080)

# HAC in its later text (ACCV 2020), for the 640x480 images of N-UCLA; the arXiv text prints 558.1 and 579.5.
N_UCLA_COLOUR = PinholeCamera(554.84, 583.68, 320.0, 240.0, 640, 480)

# HAC section 4.4, for the 640x480 images of UTD-MHAD; halved for its 320x240 depth images.
KINECT_V1_COLOUR = PinholeCamera(558.1, 579.5, 320.0, 240.0, 640, 480)
UTD_DEPTH = PinholeCamera(279.05, 289.75, 160.0, 120.0, 320, 240)
