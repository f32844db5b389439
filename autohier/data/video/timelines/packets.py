"""Frames in packets of compressed video: a packet may hold a hidden frame, two frames or none.

VP8 and VP9 code frames that are never shown, as references for others. MPEG-4 codes a picture as a *VOP*. A
VOP that is not coded repeats the one before. DivX and Xvid pack two VOPs into one packet and then write a
placeholder: a VOP that is not coded, or a byte without a VOP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_VOP: Final = b"\0\0\1\xb6"
_START_CODE: Final = b"\0\0\1"
_BIDIRECTIONAL: Final = 2
_LAYER_CODES: Final = range(0x20, 0x30)
_MAX_EMPTY_VOP: Final = 64
"""Bytes of the largest packet whose only VOP may be not coded."""


class PacketContent(NamedTuple):
    """Content of one packet.

    Attributes:
        num_shown: frames that are shown.
        repeats: True if the packet shows the frame before it once more.
        is_open: True if only the decoder knows how many frames are shown.
    """

    num_shown: int
    repeats: bool = False
    is_open: bool = False


_ONE_FRAME: Final = PacketContent(1)

ReadPacket = Callable[[bytes], PacketContent]


def packet_reader(codec: str, extradata: bytes) -> ReadPacket | None:
    """Return the function that reads the packets of a video in their order; None if each shows one frame.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: the codec's header in the container; may be empty.
    """
    if codec == "vp8":
        return _read_vp8
    if codec == "vp9":
        return _read_vp9
    return Mpeg4Packets(extradata).read if codec == "mpeg4" else None


def _read_vp8(data: bytes) -> PacketContent:
    return PacketContent(data[0] >> 4 & 1)


def _read_vp9(data: bytes) -> PacketContent:
    return PacketContent(sum(_is_shown_vp9(frame) for frame in _split_vp9(data)))


def _split_vp9(data: bytes) -> Iterator[bytes]:
    """Split a superframe into its frames; its index is at the end, between two equal marker bytes."""
    marker = data[-1]
    num_frames, num_bytes = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index_bytes = 2 + num_frames * num_bytes
    if marker & 0xE0 != 0xC0 or len(data) < index_bytes or data[-index_bytes] != marker:
        yield data
        return
    start = 0
    for at in range(1 - index_bytes, -1, num_bytes):
        size = int.from_bytes(data[at : at + num_bytes], "little")
        yield data[start : start + size]
        start += size


def _is_shown_vp9(frame: bytes) -> bool:
    if not frame:
        return False
    # Two bits of marker, the profile's low and high bit, and one more for profile 3 precede the flags.
    flags = frame[0] << (5 if frame[0] & 0x30 == 0x30 else 4)
    shows_existing, is_shown = flags & 0x80, flags & 0x20
    return bool(shows_existing or is_shown)


class Mpeg4Packets:
    """Reader of the packets of one MPEG-4 video, in their order."""

    def __init__(self, extradata: bytes) -> None:
        self._num_time_bits = _num_time_bits(extradata)
        self._num_placeholders = 0
        self._num_references = 0

    def read(self, data: bytes) -> PacketContent:
        """Return the content of the next packet."""
        if self._num_time_bits is None:
            self._num_time_bits = _num_time_bits(data)
        num_vops = data.count(_VOP)
        if num_vops == 1 and len(data) <= _MAX_EMPTY_VOP and not self._is_coded(data):
            is_placeholder = self._num_placeholders > 0
            self._num_placeholders -= is_placeholder
            return PacketContent(0, repeats=not is_placeholder)
        self._num_placeholders += max(0, num_vops - 1)
        # Two VOPs in a packet are shown if a later packet has room for the second. A bidirectional VOP is
        # shown if both of its references are in the file.
        is_bidirectional = num_vops == 1 and _vop_type(data) == _BIDIRECTIONAL
        lacks_reference = is_bidirectional and self._num_references < 2
        self._num_references += num_vops - is_bidirectional
        return PacketContent(num_vops, is_open=num_vops > 1 or lacks_reference)

    def _is_coded(self, data: bytes) -> bool:
        if self._num_time_bits is None:
            return True
        bits = _Bits(data[data.index(_VOP) + len(_VOP) :])
        bits.read(2)  # type of the VOP
        while bits.read(1):  # whole seconds
            pass
        bits.read(1 + self._num_time_bits + 1)
        return bool(bits.read(1))


def _vop_type(data: bytes) -> int:
    at = data.index(_VOP) + len(_VOP)
    return data[at] >> 6 if at < len(data) else 0


class _Bits:
    """Bits of bytes, in order; zeros follow the last one."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._num_left = 8 * len(data)

    def read(self, num_bits: int) -> int:
        self._num_left -= num_bits
        shifted = self._bits >> self._num_left if self._num_left >= 0 else 0
        return shifted & ((1 << num_bits) - 1)


def _num_time_bits(data: bytes) -> int | None:
    """Return the number of bits of the times of VOPs, from the header of the layer; None without one."""
    at = data.find(_START_CODE)
    while at >= 0:
        if at + 3 < len(data) and data[at + 3] in _LAYER_CODES:
            return _read_layer(_Bits(data[at + 4 : at + 4 + _MAX_EMPTY_VOP]))
        at = data.find(_START_CODE, at + 3)
    return None


def _read_layer(bits: _Bits) -> int:
    bits.read(1 + 8)  # random access, type of object
    version = bits.read(4 + 3) >> 3 if bits.read(1) else 1
    if bits.read(4) == 15:  # an aspect ratio of its own
        bits.read(8 + 8)
    # Chroma format, low delay, and then the parameters of the buffer if they are given.
    if bits.read(1) and bits.read(2 + 1 + 1) & 1:
        bits.read(79)
    if bits.read(2) == 3 and version != 1:  # the shape is gray
        bits.read(4)
    bits.read(1)
    ticks_per_s: int = bits.read(16)
    return max(1, (ticks_per_s - 1).bit_length())
