"""Projection of joints from camera metres to image pixels.

HAC eq. (1) prints v = by + cy * Y / Z. The sign of y must be negative: Kinect's y points up and image
rows run down. On real UTD-MHAD clips '+' puts 49% of the joints on the person, '-' 93%, and the pixels
that NTU files carry follow the same sign.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """A camera without distortion.

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
        """Image positions [M, T, V, 2] in pixels; NaN where a joint is absent or not before the camera.

        Beside the camera, where float32 does not hold its position, a joint has none.
        """
        x, y, z = np.moveaxis(joints_MTV3_m, -1, 0)
        depth = np.where(z > 0, z, np.float32(np.nan))
        with np.errstate(over="ignore"):
            columns = self.centre_x_px + self.focal_x_px * x / depth
            rows = self.centre_y_px - self.focal_y_px * y / depth
            pixels_MTV2 = np.stack((columns, rows), axis=-1).astype(np.float32)
        return np.where(np.isfinite(pixels_MTV2).all(axis=-1, keepdims=True), pixels_MTV2, np.float32(np.nan))


# Fitted to the colour pixels in real NTU files; used where a file holds joints but no valid pixel.
NTU_COLOUR = PinholeCamera(1055.0, 1057.0, 977.0, 560.0, 1920, 1080)

# HAC section 4.4 for the 640x480 of N-UCLA and UTD-MHAD, and halved for the latter's depth image of 320x240.
KINECT_V1_COLOUR = PinholeCamera(558.1, 579.5, 320.0, 240.0, 640, 480)
UTD_DEPTH = PinholeCamera(279.05, 289.75, 160.0, 120.0, 320, 240)
