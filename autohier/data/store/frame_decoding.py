"""Decoding of stored frames.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image


def decode_frame(jpeg: memoryview, frame_HWC: NDArray[np.uint8], *, stored_px: int) -> None:
    """Decode a square JPEG into an array, resized to the array's side.

    Args:
        jpeg: the encoded frame.
        frame_HWC: uint8, square, with 1 (gray) or 3 (RGB) channels; receives the result.
        stored_px: side that the encoded frame must have.

    Raises:
        ValueError: if the JPEG is damaged or has another size.
    """
    side_px = len(frame_HWC)
    height_px, width_px, *_ = simplejpeg.decode_jpeg_header(jpeg)
    if (height_px, width_px) != (stored_px, stored_px):
        raise ValueError(f"a frame of {width_px} x {height_px} pixels")
    colorspace = "GRAY" if frame_HWC.shape[2] == 1 else "RGB"
    if side_px == stored_px:
        simplejpeg.decode_jpeg(jpeg, colorspace, buffer=frame_HWC)
        return
    # The decoder can halve the size several times, which saves most of its work.
    decoded_HWC = simplejpeg.decode_jpeg(jpeg, colorspace, min_height=side_px, min_width=side_px)
    if len(decoded_HWC) != side_px:
        image = Image.fromarray(decoded_HWC.squeeze())
        resized = image.resize((side_px, side_px), Image.Resampling.BILINEAR)
        decoded_HWC = np.asarray(resized).reshape(frame_HWC.shape)
    frame_HWC[...] = decoded_HWC
