"""Packets and decoded frames of an open video, in order, on one thread.

Whole videos are read without seeking: NTU's clips hold one keyframe each, so that a seek would decode the
clip again and could land on another frame. A span may start an hour into its video: there the decoder seeks
to a point before it and selects frames by their times. One thread, because preparation runs one process per
core.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av import VideoFrame, VideoStream
from av.container import InputContainer
from av.sidedata.sidedata import Type

from autohier.data.video.orientation import UPRIGHT, Orientation, matrix_orientation
from autohier.data.video.span import SLACK_S, Span


def _name_unknown(kind: type[Type], value: object) -> object:
    member: Any = object.__new__(kind)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member


# FFmpeg has more kinds of side data than PyAV has names, e.g. for EXIF data and for videos of two views. PyAV
# then refuses to return any, also the display matrix.
Type._missing_ = classmethod(_name_unknown)  # type: ignore[method-assign,assignment]


def decode_all(
    container: InputContainer, stream: VideoStream, *, skips_damage: bool = False
) -> Iterator[VideoFrame]:
    """Decode a stream and yield its frames in the order in which they are shown.

    Args:
        container: the open file.
        stream: the stream.
        skips_damage: True leaves out packets and frames that do not decode, up to the first whole frame.
    """
    is_whole = not skips_damage
    for packet in container.demux(stream):
        if not packet.size and packet.dts is not None:
            continue  # the decoder would take a chunk without bytes for the end of the video
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if is_whole:
                raise
            continue
        for frame in frames:
            is_whole = is_whole or not frame.is_corrupt
            if is_whole:
                yield frame


def orientation_of(frame: VideoFrame) -> Orientation:
    """Return how to turn a decoded frame for display, by its display matrix."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else matrix_orientation(bytes(matrix))


def seek_before(container: InputContainer, stream: VideoStream, span: Span) -> None:
    """Seek to a point before a span, if the file stores times."""
    start_s = span.start_s - SLACK_S
    if start_s > 0 and not is_avi(container):
        container.seek(int(start_s / stream.time_base) + (stream.start_time or 0), stream=stream)


def time_of(pts: int | None, stream: VideoStream) -> Fraction | None:
    """Return the seconds between the first frame and a time stamp; None if there is no time stamp."""
    if pts is None or stream.time_base is None:
        return None
    time_s: Fraction = (pts - (stream.start_time or 0)) * stream.time_base
    return time_s


def is_avi(container: InputContainer) -> bool:
    """Return True for an .avi: it stores the order of frames; their times follow from the frame rate."""
    return bool(container.format.name == "avi")
