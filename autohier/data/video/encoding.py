"""Encoding of videos: of generated datasets, and of clips to look at."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import BinaryIO, Final, Self

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
_TICKS_PER_S: Final = 90_000
_USUAL_RATE: Final = 30


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


class Mp4Writer:
    """MP4 of H.264 that grows with its pictures, which have times of their own; a context manager.

    The block's end finishes the file, also if it ends with an error. Without a picture, nothing is written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._container = av.open(file, "w", format="mp4")
        self._stream: av.VideoStream | None = None
        self._last_tick = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def write(self, picture_HW3: NDArray[np.uint8], start_s: float) -> None:
        """Add an RGB picture, without its last row or column if their number is odd.

        Args:
            picture_HW3: picture of the size of the first one.
            start_s: its time, in seconds; times ascend.
        """
        height_px, width_px = (side - side % 2 for side in picture_HW3.shape[:2])
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=_USUAL_RATE, options=dict(_VIEWED))
            self._stream.height, self._stream.width = height_px, width_px
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture_HW3[:height_px, :width_px]), format="rgb24"
        )
        self._last_tick = max(round(start_s * _TICKS_PER_S), self._last_tick + 1)
        frame.pts, frame.time_base = self._last_tick, Fraction(1, _TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
