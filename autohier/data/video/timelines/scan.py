"""Scan of the packets of a video, and the judgment if these determine how many frames are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from av import Packet, VideoFrame, VideoStream
from av.container import InputContainer

from autohier.data.video.container import open_video
from autohier.data.video.frames import decode_all, seek_before, time_of
from autohier.data.video.span import SLACK_S, Span
from autohier.data.video.timelines.packets import PacketContent, packet_reader
from autohier.errors import ClipError

# Writers may count a last frame that they then dropped; a larger difference means a truncated file.
_HEADER_SLACK: Final = 2
_PROGRESSIVE: Final = (0, 1)
"""Values of FFmpeg's order of fields for unknown and for whole frames."""
_CODECS: Final = frozenset(
    (
        *("h264", "hevc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4"),
        *("mjpeg", "png", "ffv1", "huffyuv", "ffvhuff", "utvideo", "dvvideo", "prores", "dnxhd", "rawvideo"),
    )
)
"""Codecs whose packets determine the number of frames, with `packet_reader` if they are not one each."""


@dataclass(slots=True)
class PacketScan:
    """Reader of a video's packets, in order.

    Attributes:
        is_open: True if only the decoder knows how many frames are shown.
        is_cut: True if the video starts between keyframes; ``is_open`` is then True.
        num_packets: non-empty packets read so far.
    """

    is_open: bool = False
    is_cut: bool = False
    num_packets: int = 0
    _first_pts: int | None = None
    _num_keyframes: int = 0

    def contents(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[Packet, PacketContent]]:
        """Yield each packet with its content."""
        codec = stream.codec_context
        name = codec.codec.canonical_name
        self.is_open = name not in _CODECS or (name == "h264" and codec.field_order not in _PROGRESSIVE)
        read = packet_reader(name, bytes(codec.extradata or b""))
        for packet in container.demux(stream):
            if packet.size:
                content = PacketContent(1) if read is None else read(bytes(packet))
                self._judge(packet, content)
                yield packet, content

    def _judge(self, packet: Packet, content: PacketContent) -> None:
        self.num_packets += 1
        self._num_keyframes += packet.is_keyframe
        if self.num_packets == 1:
            self.is_cut = not packet.is_keyframe
            self._first_pts = packet.pts
        elif self._first_pts is not None and not packet.is_discard:
            # Frames shown before the first keyframe refer to one that was cut off. If it is shown at time 0,
            # an .mkv cannot store their times: they have none, or FFmpeg gives them the time of the keyframe.
            is_early = self._num_keyframes == 1 if packet.pts is None else packet.pts <= self._first_pts
            self.is_cut |= is_early and content.num_shown > 0
        self.is_open |= self.is_cut or content.is_open


def decode_again(path: Path, span: Span | None, *, is_cut: bool) -> Iterator[VideoFrame]:
    """Open a video once more and decode all frames until the end of a span, which may have seconds before it.

    Raises:
        ClipError: if a frame does not decode.
    """
    with open_video(path) as (container, stream):
        if span is not None:
            seek_before(container, stream, span)
        for index, frame in enumerate(decode_all(container, stream, skips_damage=is_cut)):
            time_s = None if span is None else time_of(frame.pts, stream)
            if span is not None and time_s is not None and time_s >= span.stop_s + SLACK_S:
                return
            if frame.is_corrupt:
                raise ClipError("every frame of a video must decode", got=f"damage at frame {index}")
            yield frame


def check_complete(num_frames: int, num_promised: int) -> None:
    """Check that a file holds the frames of its header.

    Raises:
        ClipError: if several are missing.
    """
    if num_frames + _HEADER_SLACK < num_promised:
        raise ClipError(
            "a video must be complete", got=f"{num_frames} of the {num_promised} frames in its header"
        )
