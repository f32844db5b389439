"""Encoding of videos, for generated datasets."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

_X264 = {
    "preset": "ultrafast",
    "crf": "21",
    "threads": "1",
    "g": "600",
    "keyint_min": "600",
    "sc_threshold": "0",
}


def encode_video(frames: Iterable[NDArray[np.uint8]], *, frame_rate: int) -> bytes:
    """Encode RGB frames ``[H, W, 3]`` as an .avi of H.264 with one keyframe, like NTU's videos."""
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = None
        for picture_HW3 in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=frame_rate, options=_X264)
                stream.height, stream.width = picture_HW3.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = Fraction(1, frame_rate)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
    return file.getvalue()
