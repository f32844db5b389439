"""Frames of a video that is not looked at before: a file, a pipe, a stream of the network or a camera.

Unlike `decode_frames`, nothing is counted, and frames that do not decode are left out.

Shape letters: H W pixels.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import av
import numpy as np
from av import VideoFrame, VideoStream
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from autohier.data.video.container import FILE_FORMATS, MAX_FRAME_PX
from autohier.data.video.frames import is_avi, orientation_of
from autohier.errors import ClipError, InputError, MissingDataError, damage_text

_STREAM_FORMATS: Final = f"{FILE_FORMATS},rtsp,mpjpeg,mjpeg"
_TIMEOUT_S: Final = 10.0
"""Seconds after which a stream that sends nothing has ended."""
_FRONT_TO_BACK: Final = (
    "check the address; what cannot be rewound must be of a format such as MPEG-TS or Matroska, not an .mp4"
)
_USUAL_RATE: Final = 30
_SMALLEST_STEP_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Source of frames."""

    kind: Literal["file", "pipe", "stream", "camera"]
    address: str
    """Path of the file, the pipe or the device, or URL of the stream."""

    @property
    def is_live(self) -> bool:
        """True if frames that are not read in time are lost."""
        return self.kind in {"stream", "camera"}

    def __str__(self) -> str:
        """Return the address without the name and password in a URL."""
        if self.kind != "stream":
            return self.address
        parts = urlsplit(self.address)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """One frame."""

    number: int
    """Number of the frame since the first one; frames that were dropped count."""
    picture_HW3: NDArray[np.uint8]
    """RGB picture, turned as a player shows it."""
    start_s: float
    """Seconds since the first frame."""
    duration_s: float
    """Seconds for which it is shown, as the source states or as its frame rate says."""


def find_source(text: str) -> LiveSource:
    """Return the source that a user names: a path, a URL, or a camera by its number or device.

    Raises:
        InputError: if it is a folder, or a camera on a system whose cameras cannot be read.
        MissingDataError: if the file or the camera does not exist.
    """
    if re.fullmatch(r"\w+://.+", text) and not text.startswith("file://"):
        return LiveSource("stream", text)
    if text.isdecimal() and not Path(text).exists():
        text = f"/dev/video{int(text)}"
    path = Path(text)
    is_camera = re.fullmatch(r"/dev/video\d+", text) is not None
    if is_camera and not sys.platform.startswith("linux"):
        raise InputError(
            "cameras are read on Linux only",
            got=sys.platform,
            hint="send its pictures as a stream, e.g. with FFmpeg, and name the URL",
        )
    if not path.exists():
        cameras = ", ".join(str(each) for each in sorted(Path("/dev").glob("video*"))) or "none"
        hint = f"cameras of this machine: {cameras}" if is_camera else "correct the path"
        raise MissingDataError("a video or a camera must exist", got=text, hint=hint)
    if path.is_dir():
        raise InputError("a video must be a file", got=f"{text}, a folder", hint="name one of its videos")
    if is_camera:
        return LiveSource("camera", text)
    return LiveSource("pipe" if stat.S_ISFIFO(path.stat().st_mode) else "file", text)


def read_live(source: LiveSource) -> Iterator[LiveFrame]:
    """Yield the frames of a source as they come.

    Raises:
        ClipError: if the source cannot be opened, holds no video, or breaks off.
    """
    try:
        with _open(source) as container:
            stream = _choose_stream(container)
            stream.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PX)}
            yield from _frames(container, stream)
    except (av.FFmpegError, OSError) as error:
        hint = "" if source.kind in {"file", "camera"} else _FRONT_TO_BACK
        raise ClipError(f"{source} must be a readable video", got=damage_text(error), hint=hint) from error


def _open(source: LiveSource) -> InputContainer:
    options: dict[str, Any] = {"metadata_errors": "replace"}
    if source.kind == "camera":
        camera: InputContainer = av.open(source.address, format="v4l2", **options)
        return camera
    formats = FILE_FORMATS
    if source.kind == "stream":
        formats, options["timeout"] = _STREAM_FORMATS, _TIMEOUT_S
    address = source.address if source.kind == "stream" else str(Path(source.address).absolute())
    container: InputContainer = av.open(address, container_options={"format_whitelist": formats}, **options)
    return container


def _choose_stream(container: InputContainer) -> VideoStream:
    streams = [
        each
        for each in container.streams.video
        if not each.disposition & Disposition.attached_pic and each.codec_context is not None
    ]
    if not streams:
        raise ClipError("a video must contain a video stream of a codec that FFmpeg decodes")
    return max(streams, key=lambda each: bool(each.disposition & Disposition.default))


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[LiveFrame]:
    rate = float(stream.average_rate or stream.guessed_rate or _USUAL_RATE)
    has_times, first_pts, last_s = not is_avi(container), None, -_SMALLEST_STEP_S
    for number, frame in enumerate(_decoded(container, stream)):
        base = stream.time_base or Fraction(1)
        if has_times and frame.pts is not None:
            first_pts = frame.pts if first_pts is None else first_pts
            start_s = float((frame.pts - first_pts) * base)
        else:
            start_s = number / rate
        # Time stamps of streams may repeat or jump back.
        last_s = max(start_s, last_s + _SMALLEST_STEP_S)
        duration_s = float(frame.duration * base) if has_times and frame.duration else 1 / rate
        picture_HW3 = orientation_of(frame).apply(frame.to_ndarray(format="rgb24"))
        yield LiveFrame(number, picture_HW3, last_s, duration_s)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        if not packet.size and packet.dts is not None:
            continue  # the decoder would take a chunk without bytes for the end of the video
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        yield from (frame for frame in frames if not frame.is_corrupt)
