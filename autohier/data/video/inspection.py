"""Inspection of a video: which frames a player shows.

Packets are not frames. An edit list hides frames of a clip that was cut without encoding it again; VP8 and
VP9 code hidden references; an .avi stores a dropped frame as a chunk without bytes; DivX packs two frames
into one packet. Packets are read, which costs a pass over the file. Only where they leave the number open,
all frames are decoded: old codecs, packed MPEG-4, interlaced H.264, and videos that start between keyframes.
For an NTU clip (103 frames of 1080p) packets take 11 ms of one core, and decoding would take 420 ms.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from autohier.data.video.container import open_video
from autohier.data.video.frames import is_avi
from autohier.data.video.span import Span
from autohier.data.video.timelines.avi import cut_avi_timeline, read_avi_timeline
from autohier.data.video.timelines.timed import read_timed_timeline
from autohier.data.video.timelines.timeline import Timeline
from autohier.errors import ClipError, damage_text

_NUM_KEPT: Final = 8


def read_timeline(path: Path, span: Span | None = None) -> Timeline:
    """Return the shown frames of a video or of a span of it; those of the last files are cached.

    Raises:
        ClipError: if the file is no video, shows no frame, or is shorter than its header or the span says.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise ClipError("a video must be readable", got=damage_text(error)) from error
    return _read(path, span, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=_NUM_KEPT)
def _read(path: Path, span: Span | None, _state: tuple[int, int, int]) -> Timeline:
    with open_video(path) as (container, stream):
        if is_avi(container):
            timeline = read_avi_timeline(path, container, stream)
            if len(timeline) and span is not None:
                timeline = cut_avi_timeline(timeline, span, stream.average_rate)
        else:
            timeline = read_timed_timeline(path, container, stream, span)
    if not len(timeline):
        raise ClipError("a video must contain frames")
    return timeline
