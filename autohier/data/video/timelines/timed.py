"""Timelines of files whose packets have times: .mp4, .mkv, .webm and others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av import VideoStream
from av.container import InputContainer
from numpy.typing import NDArray

from autohier.data.video.frames import seek_before, time_of
from autohier.data.video.span import SLACK_S, Span, beyond_end, is_beyond
from autohier.data.video.timelines.scan import PacketScan, check_complete, decode_again
from autohier.data.video.timelines.timeline import Timeline
from autohier.errors import ClipError


def read_timed_timeline(
    path: Path, container: InputContainer, stream: VideoStream, span: Span | None
) -> Timeline:
    """Return the frames of a video or of a span of it; a file without times has the frames alone.

    Raises:
        ClipError: if it ends before the end of its header or the span, if a span is given and times are
            missing, or if its frames must be decoded to be counted and do not decode.
    """
    # The header of an .mp4 counts the frames that an edit list leaves out, and its index does not.
    has_edits = "mp4" in container.format.name
    num_promised = len(stream.index_entries) if has_edits else int(stream.frames)
    if span is not None:
        seek_before(container, stream, span)
    scan = PacketScan()
    found = _read_packets(scan, container, stream, span)
    if span is None:
        check_complete(scan.num_packets, num_promised)
    elif is_beyond(span, found.end_s):
        raise beyond_end(span, found.end_s)
    shown = found.shown
    if scan.is_open:
        shown = [frame.pts for frame in decode_again(path, span, is_cut=scan.is_cut)]
    first_pts = None
    if span is not None:
        shown = [pts for pts in shown if span.start_s <= _require_time(pts, stream) < span.stop_s]
        if not shown:
            raise beyond_end(span, found.end_s)
        first_pts = min(pts for pts in shown if pts is not None)
    bounds_s_N1 = _bounds(shown, stream.time_base or Fraction(1), found.duration)
    return Timeline(np.arange(len(shown)), bounds_s_N1, first_pts, scan.is_cut)


class _Found(NamedTuple):
    """Time stamps of shown frames, the time of the last packet, and the duration of the last shown frame."""

    shown: list[int | None]
    end_s: Fraction
    duration: int


def _read_packets(
    scan: PacketScan, container: InputContainer, stream: VideoStream, span: Span | None
) -> _Found:
    shown: list[int | None] = []
    end_s, duration = Fraction(0), 0
    for packet, content in scan.contents(container, stream):
        if span is not None and not (scan.is_cut and packet.pts is None):
            time_s = _require_time(packet.pts, stream)
            end_s = max(end_s, time_s)
            if time_s >= span.stop_s + SLACK_S:
                break
        if not packet.is_discard:
            shown += [packet.pts] * content.num_shown
            duration = packet.duration or duration
    return _Found(shown, end_s, duration)


def _require_time(pts: int | None, stream: VideoStream) -> Fraction:
    time_s = time_of(pts, stream)
    if time_s is None:
        raise ClipError("a video that is cut by times must contain the time of every frame")
    return time_s


def _bounds(shown: list[int | None], base: Fraction, duration: int) -> NDArray[np.float64] | None:
    """Return the start of each frame and the end of the last, which lasts as long as stated or as most."""
    ticks = sorted(pts for pts in shown if pts is not None)
    if not ticks or len(set(ticks)) < len(shown):
        return None
    gaps = np.diff(ticks)
    usual = int(np.median(gaps)) if len(gaps) else 1
    return np.array([float((tick - ticks[0]) * base) for tick in (*ticks, ticks[-1] + (duration or usual))])
