"""Timelines of .avi files, in which every chunk takes the time of one frame.

A chunk without bytes stands for a frame that the camera dropped: the frame before it is shown again. FFmpeg
skips such chunks, and the numbers of the others show where they are. Those at the end are found in the file's
index.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from av import VideoStream
from av.container import InputContainer

from autohier.data.video.span import Span, beyond_end, is_beyond
from autohier.data.video.timelines.scan import PacketScan, check_complete, decode_again
from autohier.data.video.timelines.timeline import Timeline
from autohier.errors import ClipError
from autohier.files import open_regular

_CHUNK_HEADER_BYTES: Final = 8
_FIRST_CHUNK: Final = 12
_ENTRY: Final = np.dtype([("stream", "S2"), ("kind", "S2"), ("flags", "<u4"), ("at", "<u4"), ("size", "<u4")])
_PICTURES: Final = (b"dc", b"db")


def read_avi_timeline(path: Path, container: InputContainer, stream: VideoStream) -> Timeline:
    """Return the frames of an .avi.

    Raises:
        ClipError: if it ends before the end of its header, or its frames must be decoded to be counted and
            do not decode.
    """
    num_promised, file_bytes = int(stream.frames), path.stat().st_size
    scan = PacketScan()
    sources: list[int] = []
    num_frames, last = 0, -1
    for packet, content in scan.contents(container, stream):
        chunk = last + 1 if packet.dts is None else packet.dts
        num_again = (chunk - last - 1 if scan.num_packets > 1 else 0) + content.repeats
        if num_again * _CHUNK_HEADER_BYTES > file_bytes:
            raise ClipError("a video must be complete", got=f"a gap of {num_again} chunks")
        if num_frames:
            sources += [num_frames - 1] * num_again
        sources += range(num_frames, num_frames + content.num_shown)
        num_frames += content.num_shown
        last = max(last, chunk)
    if num_frames and last + 1 < num_promised:
        num_empty = _count_empty_end(path, stream.index)
        sources += [num_frames - 1] * num_empty
        last += num_empty
    check_complete(last + 1, num_promised)
    if scan.is_open and num_frames:
        num_decoded = sum(1 for _ in decode_again(path, None, is_cut=scan.is_cut))
        sources = _adjust(sources, num_frames, num_decoded, at_start=scan.is_cut)
    return Timeline(np.array(sources, dtype=np.int64), is_cut=scan.is_cut)


def cut_avi_timeline(timeline: Timeline, span: Span, rate: Fraction | None) -> Timeline:
    """Return the frames of an .avi within a span; their times follow from the frame rate.

    Raises:
        ClipError: if the file has no frame rate, or ends before the span.
    """
    if not rate:
        raise ClipError("a video that is cut by times must have a frame rate")
    end_s = Fraction(max(0, len(timeline) - 1)) / rate
    start, stop = (int(-(-second * rate // 1)) for second in (span.start_s, span.stop_s))
    if start >= min(stop, len(timeline)) or is_beyond(span, end_s):
        raise beyond_end(span, end_s)
    return Timeline(timeline.sources_N[start:stop], is_cut=timeline.is_cut)


def _adjust(sources: list[int], num_expected: int, num_decoded: int, *, at_start: bool) -> list[int]:
    """Return the sources with the number of decoded frames instead of the expected one."""
    if num_decoded > num_expected:
        return [*sources, *range(num_expected, num_decoded)]
    num_lost = num_expected - num_decoded if at_start else 0
    return [source - num_lost for source in sources if num_lost <= source < num_lost + num_decoded]


def _count_empty_end(path: Path, stream_index: int) -> int:
    """Count the empty chunks after the last picture of a stream; 0 if the file has no index."""
    with open_regular(path) as file:
        entries = np.frombuffer(_read_index(file), dtype=_ENTRY)
    is_own = (entries["stream"] == f"{stream_index:02d}".encode()) & np.isin(entries["kind"], _PICTURES)
    filled = np.flatnonzero(entries["size"][is_own])
    return int(is_own.sum()) - 1 - int(filled[-1]) if len(filled) else 0


def _read_index(file: BinaryIO) -> bytes:
    """Return the whole entries of the chunk ``idx1``; empty if there is none."""
    file.seek(_FIRST_CHUNK)
    while len(header := file.read(_CHUNK_HEADER_BYTES)) == _CHUNK_HEADER_BYTES:
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"idx1":
            content = file.read(size)
            return content[: len(content) // _ENTRY.itemsize * _ENTRY.itemsize]
        file.seek(size + size % 2, 1)
    return b""
