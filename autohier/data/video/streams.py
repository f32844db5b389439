"""Choice of the video stream that a player shows, among several of one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from av import VideoStream
from av.container import InputContainer
from av.stream import Disposition

from autohier.errors import ClipError

_ENOUGH_PACKETS: Final = 2


def choose_stream(container: InputContainer, reopen: Callable[[], InputContainer]) -> VideoStream:
    """Return the best video stream: no attached picture, no single frame, marked as default, the largest.

    A thumbnail may be the first track of a file, and a cover may be its default stream. Of equal streams the
    first is chosen.

    Args:
        container: the open file.
        reopen: opens the file again; called if there are several streams and the header does not say how
            many frames they have, which costs one pass over the packets.

    Raises:
        ClipError: if the file holds no video stream, or none that FFmpeg decodes.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise ClipError("a video file must contain a video stream")
    decodable = [one for one in streams if one.codec_context is not None]
    if not decodable:
        raise ClipError("a video must be of a codec that FFmpeg decodes")
    if len(decodable) == 1:
        return decodable[0]
    num_frames = _count_frames(decodable, reopen)

    def rank(stream: VideoStream) -> tuple[bool, bool, int]:
        is_default = bool(stream.disposition & Disposition.default)
        return num_frames[stream.index] > 1, is_default, stream.width * stream.height

    return max(decodable, key=rank)


def _count_frames(streams: Sequence[VideoStream], reopen: Callable[[], InputContainer]) -> dict[int, int]:
    """Return the number of frames by the index of the stream; counted to two if the header lacks one."""
    promised = {stream.index: int(stream.frames) for stream in streams}
    if all(promised.values()):
        return promised
    counts: Counter[int] = Counter(dict.fromkeys(promised, 0))
    with reopen() as container:
        for packet in container.demux([container.streams[index] for index in promised]):
            counts[packet.stream_index] += packet.size > 0
            if min(counts.values()) >= _ENOUGH_PACKETS:
                break
    return counts
