"""Encoding of videos: of generated datasets, and of clips to look at."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

_NTU: Final = {
    "preset": "ultrafast",
    "crf": "21",
    "threads": "1",
    "g": "600",
    "keyint_min": "600",
    "sc_threshold": "0",
}
_VIEWED: Final = {"preset": "veryfast", "crf": "20", "threads": "1"}


def encode_video(frames: Iterable[NDArray[np.uint8]], *, frame_rate: int) -> bytes:
    """Encode RGB frames ``[H, W, 3]`` as an .avi of H.264 with one keyframe, like NTU's videos."""
    return _encode(frames, "avi", _NTU, frame_rate)


def encode_mp4(frames: Iterable[NDArray[np.uint8]], *, frame_rate: int) -> bytes:
    """Encode RGB frames ``[H, W, 3]`` of even sides as an .mp4 of H.264, which browsers and slides play."""
    return _encode(frames, "mp4", _VIEWED, frame_rate)


def _encode(
    frames: Iterable[NDArray[np.uint8]], file_format: str, options: Mapping[str, str], frame_rate: int
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=file_format) as container:
        stream = None
        for picture_HW3 in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=frame_rate, options=dict(options))
                stream.height, stream.width = picture_HW3.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = Fraction(1, frame_rate)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
    return file.getvalue()
