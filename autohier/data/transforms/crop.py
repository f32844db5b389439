"""Crop and resize of one frame.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.transforms.boxes import Box


def crop_and_resize(frame_HWC: NDArray[np.uint8], box: Box, size_px: int) -> Image.Image:
    """Crop a frame to a box and resize it to a square, as HAC does; the aspect ratio is not kept.

    Args:
        frame_HWC: uint8, 3 channels (RGB) or 1 (gray).
        box: box in the frame's pixels.
        size_px: side of the result.
    """
    # Sliced instead of passed as Pillow's ``box``, whose filter reads pixels beyond the box's edge.
    cropped_HWC = frame_HWC[box.top_px : box.bottom_px, box.left_px : box.right_px]
    pixels = cropped_HWC[:, :, 0] if cropped_HWC.shape[2] == 1 else cropped_HWC
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image.resize((size_px, size_px), Image.Resampling.BILINEAR)
