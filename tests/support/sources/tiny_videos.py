"""Small videos of every kind in which packets, stored pictures or the first track are not what is shown.

Frame k of a video has the gray level of `tiny_datasets.numbered_frames`, so that shown frames name
themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 64, 48, 25
MAX_FRAMES = 40
"""Gray levels of `numbered_frames` end soon after this number."""

_ONE, _UNIT = 1 << 16, 1 << 30


@dataclass(frozen=True)
class Coded:
    """Packet of a video, to be written again: its bytes, its time in frames, and its flag."""

    data: bytes
    pts: int
    dts: int
    is_keyframe: bool = True


def encode(
    path: Path,
    frames_THWC: NDArray[np.uint8],
    codec: str,
    *,
    times: Sequence[int] | None = None,
    gop: int = 12,
    bidirectional: int = 0,
    options: dict[str, str] | None = None,
) -> None:
    """Encode frames at times in 1/25 s; by default one after the other."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        stream.bit_rate = 4_000_000
        if codec == "libvpx":
            stream.options |= {"deadline": "realtime"}
        stream.gop_size, stream.max_b_frames = gop, bidirectional
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index, picture in enumerate(frames_THWC):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (index if times is None else times[index]), Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def read_packets(path: Path) -> list[Coded]:
    """Return the packets of a video; times count frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        per_frame = 1 / (stream.time_base * RATE)
        return [
            Coded(
                bytes(packet),
                round(packet.pts / per_frame) if packet.pts is not None else packet.dts,
                round(packet.dts / per_frame) if packet.dts is not None else 0,
                packet.is_keyframe,
            )
            for packet in container.demux(stream)
            if packet.size
        ]


def write_packets(path: Path, template: Path, packets: Iterable[Coded]) -> None:
    """Write packets into a container, with the codec of another video."""
    with av.open(str(template)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, RATE)
        for coded in packets:
            packet = av.Packet(coded.data)
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts, packet.dts, packet.is_keyframe = coded.pts, coded.dts, coded.is_keyframe
            packet.duration = 1
            container.mux(packet)


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix (a, b, c, d) of -1, 0 and 1 into the only track of an .mp4."""
    content = bytearray(path.read_bytes())
    assert content.count(b"tkhd") == 1
    a, b, c, d = (value * _ONE for value in matrix)
    # Version 0: flags, two dates, track, reserved, duration, 8 reserved, layer, group, volume, reserved.
    struct.pack_into(">9i", content, content.index(b"tkhd") + 4 + 40, a, b, 0, c, d, 0, 0, 0, _UNIT)
    path.write_bytes(content)


def drop_chunks(path: Path, dropped: Iterable[int]) -> None:
    """Empty some chunks of an .avi, as a camera does that dropped their frames."""
    content = bytearray(path.read_bytes())
    index = content.index(b"idx1")
    movie = content.index(b"movi")
    for number in dropped:
        entry = index + 8 + 16 * number
        name, _, offset, size = struct.unpack_from("<4sIII", content, entry)
        chunk = movie + offset
        assert content[chunk : chunk + 4] == name == b"00dc"
        room = size + size % 2 - 8  # the bytes of the picture become a chunk of their own
        struct.pack_into("<I4sI", content, chunk + 4, 0, b"JUNK", room)
        struct.pack_into("<I", content, entry + 12, 0)
    path.write_bytes(content)


def empty_vop(num_time_bits: int = 5) -> bytes:
    """Return a VOP of MPEG-4 that is not coded: type P, no whole second, a time, and the flag 0."""
    bits = "01" + "0" + "1" + "0" * num_time_bits + "1" + "0"
    bits += "0" + "1" * (7 - len(bits) % 8)  # stuffing up to the byte
    return b"\0\0\1\xb6" + bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def pack_vops(packets: Sequence[Coded], placeholder: bytes) -> list[Coded]:
    """Return packets of which every bidirectional VOP shares the packet of its reference, as DivX writes.

    The packet of the VOP becomes a placeholder, one chunk later.
    """
    packed: list[bytes] = []
    for coded in packets:
        at = coded.data.index(b"\0\0\1\xb6")
        if coded.data[at + 4] >> 6 == 2:
            packed[-1] += coded.data
            packed.append(placeholder)
        else:
            packed.append(coded.data)
    first = packed[0].index(b"\0\0\1\xb6")
    packed[0] = packed[0][:first] + b"\0\0\1\xb2DivX503b1393p" + packed[0][first:]
    return [Coded(data, number, number, number == 0) for number, data in enumerate(packed)]


def write_with_picture(path: Path, frames: NDArray[np.uint8], *, attached: bool) -> None:
    """Write a large picture as the first, default track or as the cover, and a video as the second track."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=RATE)
        cover.width, cover.height, cover.pix_fmt = 4 * WIDTH, 4 * HEIGHT, "yuvj420p"
        video = container.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = 4_000_000
        cover.disposition = Disposition.attached_pic if attached else Disposition.default
        video.disposition = Disposition(0)
        white = np.full((4 * HEIGHT, 4 * WIDTH, 3), 255, dtype=np.uint8)
        container.mux(cover.encode(av.VideoFrame.from_ndarray(white, format="rgb24")))
        container.mux(cover.encode())
        for picture in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
