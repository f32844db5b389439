"""Decoding of videos: in order, from the first frame or that of a span of time, on one thread.

Whole videos are never sought in: NTU's clips hold one keyframe each, so that a seek decodes the clip again
and may land on another frame. A span may lie an hour into its video: there a seek goes to before it, and the
frames' own times say which belong to it. One thread, because preparation runs one process per core.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av import VideoStream
from av.container import InputContainer
from numpy.typing import NDArray

from autohier.data.opening_videos import open_video
from autohier.errors import ClipError

# Writers may count a last frame that they then dropped; more than this means that the file was cut.
_HEADER_SLACK = 2


# Files keep a frame at most this far from where its time puts it.
_SLACK_S = 1
# Whole seconds are rounded: those of an end may exceed its video by this much.
_ROUNDING_S = 2


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video: the frames shown from ``start_s`` on and before ``stop_s``.

    Attributes:
        start_s: whole seconds since the video's first frame.
        stop_s: likewise.
    """

    start_s: int
    stop_s: int


def count_frames(path: Path, span: Span | None = None) -> int:
    """Count the frames of a video or of a span of it by reading packets, without decoding them.

    Raises:
        ClipError: where the file is no video, has no frames, or ends before its header or the span says.
    """
    with open_video(path) as (container, stream):
        if span is not None:
            return _count_within(container, stream, span)
        num_frames = sum(1 for packet in container.demux(stream) if packet.size)
        num_promised = int(stream.frames)
    if num_frames == 0:
        raise ClipError("a video must hold frames")
    if num_frames + _HEADER_SLACK < num_promised:
        raise ClipError(
            "a video must be whole", got=f"{num_frames} of the {num_promised} frames in its header"
        )
    return num_frames


def video_size(path: Path) -> tuple[int, int]:
    """Width and height of a video in pixels, as its header says.

    Raises:
        ClipError: where the file is no video.
    """
    with open_video(path) as (_, stream):
        width, height = int(stream.width), int(stream.height)
    if width < 1 or height < 1:
        raise ClipError("a video must have a width and a height", got=f"{width} x {height}")
    return width, height


def decode_frames(
    path: Path, indices: Sequence[int], span: Span | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decode a video once, in order, and yield the RGB frames [H, W, 3] at ascending indices.

    Args:
        path: the video.
        indices: of frames, counted from the first of the span.
        span: which part of the video; None for all of it.

    Raises:
        ClipError: where decoding fails or ends before the last index.
    """
    wanted = iter(indices)
    following = next(wanted, None)
    with open_video(path) as (container, stream):
        for index, frame in enumerate(_frames_within(container, stream, span)):
            if following is None:
                return
            if index == following:
                if frame.is_corrupt:
                    raise ClipError("every frame of a video must decode", got=f"damage at frame {index}")
                yield frame.to_ndarray(format="rgb24")
                following = next(wanted, None)
    if following is not None:
        raise ClipError("every frame of a video must decode", got=f"an end before frame {following}")


def _count_within(container: InputContainer, stream: VideoStream, span: Span) -> int:
    _seek_before(container, stream, span)
    num_frames, last_s = 0, Fraction(0)
    for time_s, _ in _timed(container, stream, (packet for packet in container.demux(stream) if packet.size)):
        num_frames += span.start_s <= time_s < span.stop_s
        last_s = max(last_s, time_s)
        if time_s >= span.stop_s + _SLACK_S:
            break
    if num_frames == 0 or last_s + _ROUNDING_S < span.stop_s:
        raise ClipError(
            f"a video must hold its seconds {span.start_s} to {span.stop_s}",
            got=f"an end at {float(last_s):.1f} s",
        )
    return num_frames


def _frames_within(container: InputContainer, stream: VideoStream, span: Span | None) -> Iterator[Any]:
    if span is None:
        yield from container.decode(stream)
        return
    _seek_before(container, stream, span)
    for time_s, frame in _timed(container, stream, container.decode(stream)):
        if time_s >= span.stop_s:
            return
        if time_s >= span.start_s:
            yield frame


def _seek_before(container: InputContainer, stream: VideoStream, span: Span) -> None:
    start_s = span.start_s - _SLACK_S
    if start_s > 0 and not _counts_time(container):
        container.seek(int(start_s / stream.time_base) + (stream.start_time or 0), stream=stream)


def _timed(
    container: InputContainer, stream: VideoStream, items: Iterable[Any]
) -> Iterator[tuple[Fraction, Any]]:
    """Packets or frames, each with its time in seconds since the video's first frame."""
    if _counts_time(container):
        if not stream.average_rate:
            raise ClipError("a video that is cut by times must have a frame rate")
        for index, item in enumerate(items):
            yield index / stream.average_rate, item
        return
    for item in items:
        if item.pts is None:
            raise ClipError("a video that is cut by times must tell the time of every frame")
        yield (item.pts - (stream.start_time or 0)) * stream.time_base, item


def _counts_time(container: InputContainer) -> bool:
    # An .avi knows in which order frames are stored and not when they are shown: only counting tells.
    return bool(container.format.name == "avi")
