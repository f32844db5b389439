"""Writers of small videos of every kind in which packets or the first track are not what is shown."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from support.sources.tiny_datasets import numbered_frames
from support.sources.tiny_videos import (
    HEIGHT,
    MAX_FRAMES,
    RATE,
    WIDTH,
    Coded,
    drop_chunks,
    empty_vop,
    encode,
    pack_vops,
    read_packets,
    write_packets,
    write_with_picture,
)

Write = Callable[[Path, np.random.Generator], list[int]]
"""Writes a video to a path without its ending, and returns the numbers of the frames that are shown."""


def _length(rng: np.random.Generator) -> int:
    return int(rng.integers(8, MAX_FRAMES))


def _frames(num_frames: int) -> NDArray[np.uint8]:
    return numbered_frames(num_frames, WIDTH, HEIGHT)


def plain(codec: str, ending: str, bidirectional: int = 0) -> Write:
    """Return the writer of videos in which every packet is a frame."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        encode(path.with_suffix(ending), _frames(num_frames), codec, bidirectional=bidirectional)
        return list(range(num_frames))

    return write


def gif(path: Path, rng: np.random.Generator) -> list[int]:
    """Write an animated .gif that repeats for ever, whose pictures are shown for different times."""
    num_frames = _length(rng)
    first, *others = [Image.fromarray(frame) for frame in _frames(num_frames)]
    lengths_ms = (10 * rng.choice([4, 4, 8, 36], num_frames)).tolist()
    first.save(path.with_suffix(".gif"), append_images=others, save_all=True, duration=lengths_ms, loop=0)
    return list(range(num_frames))


def edit_list(path: Path, rng: np.random.Generator) -> list[int]:
    """Write an .mp4 that was cut within a group of pictures: the start is left out by its edit list."""
    num_frames = _length(rng)
    whole = path.with_suffix(".whole.mp4")
    encode(whole, _frames(num_frames), "libx264", gop=100, bidirectional=2)
    start = int(rng.integers(1, num_frames - 2))
    moved = [
        Coded(one.data, one.pts - start, one.dts - start, one.is_keyframe) for one in read_packets(whole)
    ]
    write_packets(path.with_suffix(".mp4"), whole, moved)
    whole.unlink()
    return list(range(start, num_frames))


def trimmed_end(path: Path, rng: np.random.Generator) -> list[int]:
    """Write an .mp4 whose edit list ends before its last frames, as a phone's editor trims clips."""
    num_frames = _length(rng)
    encode(path.with_suffix(".mp4"), _frames(num_frames), "libx264", gop=100)
    num_shown = int(rng.integers(4, num_frames - 3))
    content = bytearray(path.with_suffix(".mp4").read_bytes())
    # Flags and the number of edits precede the duration, in 1/1000 s.
    struct.pack_into(">I", content, content.index(b"elst") + 4 + 8, num_shown * 1000 // RATE)
    path.with_suffix(".mp4").write_bytes(content)
    return list(range(num_shown))


def late_start(path: Path, rng: np.random.Generator) -> list[int]:
    """Write an .mp4 whose edit list begins with a pause."""
    num_frames = _length(rng)
    times = [7 + index for index in range(num_frames)]
    encode(path.with_suffix(".mp4"), _frames(num_frames), "libx264", times=times)
    return list(range(num_frames))


def hidden_vp8(path: Path, rng: np.random.Generator) -> list[int]:
    """Write a .webm some of whose VP8 frames are coded, but hidden."""
    num_frames = _length(rng)
    whole = path.with_suffix(".whole.webm")
    encode(whole, _frames(num_frames), "libvpx")
    hidden = set(rng.choice(np.arange(1, num_frames), num_frames // 4, replace=False).tolist())
    packets = read_packets(whole)
    for index in hidden:
        data = packets[index].data
        packets[index] = Coded(bytes([data[0] & ~0x10]) + data[1:], *_rest(packets[index]))
    write_packets(path.with_suffix(".webm"), whole, packets)
    whole.unlink()
    return [index for index in range(num_frames) if index not in hidden]


def hidden_vp9(path: Path, rng: np.random.Generator) -> list[int]:
    """Write a .webm of VP9 keyframes: some hidden in a superframe, some alone, and some shown later."""
    num_frames = _length(rng)
    whole = path.with_suffix(".whole.webm")
    encode(whole, _frames(num_frames), "libvpx-vp9", gop=0, options={"lag-in-frames": "0"})
    data = [packet.data for packet in read_packets(whole)]
    packets: list[bytes] = []
    shown: list[int] = []
    at = 0
    while at < num_frames:
        hidden = bytes([data[at][0] & ~0x02]) + data[at][1:]
        kind = int(rng.integers(4)) if at + 1 < num_frames else 0
        if kind == 1:  # the hidden frame and the next one share a packet
            packets.append(_superframe(hidden, data[at + 1]))
            shown.append(at + 1)
        elif kind == 2:  # the hidden frame has a packet of its own
            packets += [hidden, data[at + 1]]
            shown.append(at + 1)
        elif kind == 3:  # a packet of one byte shows the hidden frame
            packets += [hidden, b"\x88"]
            shown.append(at)
        else:
            packets.append(data[at])
            shown.append(at)
        at += 2 if kind in {1, 2} else 1
    coded = [Coded(one, number, number) for number, one in enumerate(packets)]
    write_packets(path.with_suffix(".webm"), whole, coded)
    whole.unlink()
    return shown


def dropped(codec: str) -> Write:
    """Return the writer of an .avi with empty chunks, also at its end."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        encode(path.with_suffix(".avi"), _frames(num_frames), codec, gop=1)
        empty = set(rng.choice(np.arange(1, num_frames), num_frames // 3, replace=False).tolist())
        empty |= set(range(num_frames - int(rng.integers(5)), num_frames))
        drop_chunks(path.with_suffix(".avi"), empty)
        return _held(num_frames, empty)

    return write


def not_coded(ending: str) -> Write:
    """Return the writer of MPEG-4 some of whose VOPs are not coded; in an .avi they repeat a frame."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        whole = path.with_suffix(f".whole{ending}")
        encode(whole, _frames(num_frames), "mpeg4", gop=1)
        empty = set(rng.choice(np.arange(1, num_frames - 1), num_frames // 4, replace=False).tolist())
        packets = [
            Coded(empty_vop(), *_rest(one)) if index in empty else one
            for index, one in enumerate(read_packets(whole))
        ]
        write_packets(path.with_suffix(ending), whole, packets)
        whole.unlink()
        held = _held(num_frames, empty)
        return held if ending == ".avi" else sorted(set(held))

    return write


def packed(placeholder: bytes, *, lags: bool = False) -> Write:
    """Return the writer of an .avi as DivX packs it; with a lag, the encoder begins with a placeholder."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        whole = path.with_suffix(".whole.avi")
        encode(whole, _frames(num_frames), "mpeg4", gop=12, bidirectional=1)
        packets = pack_vops(read_packets(whole), placeholder)
        if lags:
            data = [packets[0].data, placeholder, *(one.data for one in packets[1:])]
            packets = [Coded(one, number, number, number == 0) for number, one in enumerate(data)]
        write_packets(path.with_suffix(".avi"), whole, packets)
        whole.unlink()
        return list(range(num_frames))

    return write


def starts_late(codec: str, ending: str) -> Write:
    """Return the writer of a video that begins between two keyframes: the first frames cannot be shown."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = int(rng.integers(20, MAX_FRAMES))
        whole = path.with_suffix(".whole.mkv")
        options = {"x264-params": "scenecut=0", "x265-params": "scenecut=0:bframes=0:log-level=none"}
        own = {name: value for name, value in options.items() if name[1:4] in codec}
        encode(whole, _frames(num_frames), codec, gop=8, options=own)
        start = int(rng.integers(1, 8))
        write_packets(path.with_suffix(ending), whole, read_packets(whole)[start:])
        whole.unlink()
        return list(range(8, num_frames))

    return write


def open_start(path: Path, rng: np.random.Generator) -> list[int]:
    """Write an .avi that begins with a keyframe and frames that refer to the one before it."""
    num_frames = int(rng.integers(24, MAX_FRAMES))
    whole = path.with_suffix(".whole.avi")
    encode(whole, _frames(num_frames), "mpeg4", gop=6, bidirectional=2)
    packets = read_packets(whole)
    start = next(number for number, one in enumerate(packets) if number and one.is_keyframe)
    assert packets[start + 1].data[packets[start + 1].data.index(b"\0\0\1\xb6") + 4] >> 6 == 2
    cut = [Coded(one.data, at, at, one.is_keyframe) for at, one in enumerate(packets[start:])]
    write_packets(path.with_suffix(".avi"), whole, cut)
    whole.unlink()
    return list(range(start + 2, num_frames))


def open_start_at_zero(codec: str, *, clips_times: bool = False) -> Write:
    """Return the writer of an .mkv whose first keyframe is shown at time 0, after frames without a reference.

    Such times are negative; FFmpeg clips them when it cuts MPEG-2 without encoding it again.
    """

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = int(rng.integers(24, MAX_FRAMES))
        options = {"x265-params": "open-gop=1:keyint=8:scenecut=0:b-adapt=0:log-level=none"}
        with av.open(str(path.with_suffix(".mkv")), "w") as container:
            stream = container.add_stream(codec, rate=RATE, options=options if codec == "libx265" else {})
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 4_000_000
            stream.gop_size, stream.max_b_frames = 8, 2
            frames = [av.VideoFrame.from_ndarray(one, format="rgb24") for one in _frames(num_frames)]
            for number, frame in enumerate(frames):
                frame.pts = number
            packets = [packet for frame in (*frames, None) for packet in stream.encode(frame)]
            start = next(number for number, one in enumerate(packets) if number and one.is_keyframe)
            first = packets[start].pts
            assert packets[start + 1].pts < first
            for packet in packets[start:]:
                packet.pts, packet.dts = packet.pts - first, packet.dts - first
                if clips_times:
                    packet.pts = max(packet.pts, 0)
                container.mux(packet)
        return list(range(first, num_frames))

    return write


def with_picture(ending: str, *, attached: bool = False) -> Write:
    """Return the writer of a video behind a picture that is the first and the default track."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        write_with_picture(path.with_suffix(ending), _frames(num_frames), attached=attached)
        return list(range(num_frames))

    return write


def irregular(codec: str, ending: str) -> Write:
    """Return the writer of a video of variable frame rate."""

    def write(path: Path, rng: np.random.Generator) -> list[int]:
        num_frames = _length(rng)
        times = np.cumsum(rng.choice([1, 1, 2, 9], num_frames)).tolist()
        encode(path.with_suffix(ending), _frames(num_frames), codec, times=times)
        return list(range(num_frames))

    return write


def _held(num_frames: int, empty: set[int]) -> list[int]:
    shown: list[int] = []
    for index in range(num_frames):
        shown.append(shown[-1] if index in empty else index)
    return shown


def _rest(coded: Coded) -> tuple[int, int, bool]:
    return coded.pts, coded.dts, coded.is_keyframe


def _superframe(*frames: bytes) -> bytes:
    marker = bytes([0b110_11_000 | (len(frames) - 1)])  # sizes of four bytes
    return b"".join(frames) + marker + b"".join(len(one).to_bytes(4, "little") for one in frames) + marker


KINDS: dict[str, Write] = {
    "h264.mp4": plain("libx264", ".mp4", 2),
    "h264.mkv": plain("libx264", ".mkv", 2),
    "h264.avi": plain("libx264", ".avi", 2),
    "h264.mpg": plain("libx264", ".mpg", 2),
    "h264.ts": plain("libx264", ".ts", 2),
    "h264.mts": plain("libx264", ".mts", 2),
    "h264.m2ts": plain("libx264", ".m2ts"),
    "hevc.ts": plain("libx265", ".ts"),
    "mpeg2.ts": plain("mpeg2video", ".ts", 2),
    "mpeg2.vob": plain("mpeg2video", ".vob", 2),
    "mpeg2.mxf": plain("mpeg2video", ".mxf"),
    "gif.gif": gif,
    "hevc.mp4": plain("libx265", ".mp4"),
    "mpeg2.mpg": plain("mpeg2video", ".mpg", 2),
    "mpeg4.avi": plain("mpeg4", ".avi"),
    "mpeg4-bidirectional.avi": plain("mpeg4", ".avi", 2),
    "mpeg4-bidirectional.mp4": plain("mpeg4", ".mp4", 2),
    "vp8.webm": plain("libvpx", ".webm"),
    "vp9.webm": plain("libvpx-vp9", ".webm"),
    "vp9.mp4": plain("libvpx-vp9", ".mp4"),
    "wmv.wmv": plain("wmv2", ".wmv"),
    "flv.flv": plain("flv", ".flv"),
    "mjpeg.mov": plain("mjpeg", ".mov"),
    "edit-list.mp4": edit_list,
    "trimmed-end.mp4": trimmed_end,
    "late-start.mp4": late_start,
    "hidden-vp8.webm": hidden_vp8,
    "hidden-vp9.webm": hidden_vp9,
    "dropped-mjpeg.avi": dropped("mjpeg"),
    "dropped-mpeg4.avi": dropped("mpeg4"),
    "not-coded.avi": not_coded(".avi"),
    "not-coded.mp4": not_coded(".mp4"),
    "packed.avi": packed(b"\x7f"),
    "packed-vops.avi": packed(empty_vop()),
    "packed-lag.avi": packed(b"\x7f", lags=True),
    "starts-late-h264.mkv": starts_late("libx264", ".mkv"),
    "starts-late-hevc.mkv": starts_late("libx265", ".mkv"),
    "starts-late-h264.ts": starts_late("libx264", ".ts"),
    "open-start.avi": open_start,
    "open-start-hevc.mkv": open_start_at_zero("libx265"),
    "open-start-mpeg2.mkv": open_start_at_zero("mpeg2video", clips_times=True),
    "starts-late-vp8.webm": starts_late("libvpx", ".webm"),
    "thumbnail.mp4": with_picture(".mp4"),
    "thumbnail.mkv": with_picture(".mkv"),
    "cover.mp4": with_picture(".mp4", attached=True),
    "irregular.mp4": irregular("libx264", ".mp4"),
    "irregular.webm": irregular("libvpx", ".webm"),
}
"""Writers by the name of the kind, whose ending is that of the file."""
