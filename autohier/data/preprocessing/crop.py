"""Cropping and resizing of one frame.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.preprocessing.boxes import Box


def crop_and_resize(frame_HWC: NDArray[np.uint8], box: Box, size_px: int) -> Image.Image:
    """Cut a box out of a frame and stretch it to a square, as HAC does: the aspect ratio is lost.

    Args:
        frame_HWC: uint8, 3 channels (RGB) or 1 (grey).
        box: in the frame's pixels.
        size_px: side of the result.
    """
    # Sliced, not resized with Pillow's own box, whose filter reaches over the box's edge.
    cut_HWC = frame_HWC[box.top_px : box.bottom_px, box.left_px : box.right_px]
    pixels = cut_HWC[:, :, 0] if cut_HWC.shape[2] == 1 else cut_HWC
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image.resize((size_px, size_px), Image.Resampling.BILINEAR)
