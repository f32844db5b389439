"""Frames of videos as a player shows them: their number, their times, their size and their pictures.

Shape letters: H W pixels, C channels, N frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from autohier.data.video.container import open_video
from autohier.data.video.frames import decode_all, orientation_of, seek_before
from autohier.data.video.inspection import read_timeline
from autohier.data.video.span import Span
from autohier.data.video.timelines.timeline import Timeline
from autohier.errors import ClipError


def count_frames(path: Path, span: Span | None = None) -> int:
    """Count the frames that a player shows of a video or of a span of it, see `read_timeline`.

    Raises:
        ClipError: if the file is no video, has no frames, or ends before the end of its header or the span.
    """
    return len(read_timeline(path, span))


def frame_bounds(path: Path, span: Span | None = None) -> NDArray[np.float64] | None:
    """Return the start of each frame and the end of the last, in seconds [N + 1]; None without times.

    Raises:
        ClipError: as `count_frames`.
    """
    return read_timeline(path, span).bounds_s_N1


def video_size(path: Path) -> tuple[int, int]:
    """Return width and height of the shown video in pixels, at the cost of decoding its first frame.

    Raises:
        ClipError: if the file is no video or its first frame does not decode.
    """
    timeline = read_timeline(path)
    with open_video(path) as (container, stream):
        frame = next(decode_all(container, stream, skips_damage=timeline.is_cut), None)
        if frame is None:
            raise ClipError("every frame of a video must decode", got="an end before frame 0")
        return orientation_of(frame).size(frame.width, frame.height)


def decode_frames(
    path: Path, indices: Sequence[int], span: Span | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decode a video once, in order, and yield the RGB frames [H, W, 3] at indices that never descend.

    Frames are turned as a player shows them.

    Args:
        path: path of the video.
        indices: indices of shown frames, counted from the first frame of the span; may repeat.
        span: part of the video; None for all of it.

    Raises:
        ClipError: if decoding fails or ends before the last index.
    """
    timeline = read_timeline(path, span)
    # Beyond the end: no decoded frame has this number.
    sources = [int(timeline.sources_N[index]) if index < len(timeline) else -1 for index in indices]
    place = 0
    with open_video(path) as (container, stream):
        if span is not None and timeline.first_pts is not None:
            seek_before(container, stream, span)
        frames = decode_all(container, stream, skips_damage=timeline.is_cut)
        for number, frame in enumerate(_from_first(frames, timeline)):
            if place == len(sources):
                return
            if sources[place] != number:
                continue
            picture_HW3 = _picture(frame, indices[place])
            while place < len(sources) and sources[place] == number:
                yield picture_HW3
                place += 1
    if place < len(sources):
        raise ClipError("every frame of a video must decode", got=f"an end before frame {indices[place]}")


def _from_first(frames: Iterator[VideoFrame], timeline: Timeline) -> Iterator[VideoFrame]:
    """Leave out the frames before the first one of a timeline."""
    if timeline.first_pts is None:
        return frames
    first_pts = timeline.first_pts
    return (frame for frame in frames if frame.pts is not None and frame.pts >= first_pts)


def _picture(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    if frame.is_corrupt:
        raise ClipError("every frame of a video must decode", got=f"damage at frame {index}")
    return orientation_of(frame).apply(frame.to_ndarray(format="rgb24"))
