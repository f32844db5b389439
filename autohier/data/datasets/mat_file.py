"""Arrays of numbers in MATLAB's .mat files of version 5, which MATLAB writes unless told otherwise.

SciPy reads more of that format, and believes what a file says: on a damaged one it may end the process. Here
what a file says of its lengths is checked against what it holds and against each other.

A file is a header of 128 bytes and elements: eight bytes of type and length, then content. An element of a
matrix is made of further ones: flags, shape, name, numbers. One that is compressed holds one of a matrix.
(MathWorks, MAT-File Format, chapter 1.)
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.errors import ClipError
from autohier.files import open_regular

_RULE: Final = "a .mat file must be readable"
_MATRIX, _COMPRESSED = 14, 15
_INTEGER_TYPES: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 12: "i8", 13: "u8"}
_NUMBER_TYPES: Final = _INTEGER_TYPES | {7: "f4", 9: "f8"}
_NUMBER_CLASSES: Final = range(6, 16)
_IS_COMPLEX: Final = 0x800
_MAX_HEADER_BYTES: Final = 256  # 32 dimensions, and more than the 63 letters of a name, take less
_CHUNK_BYTES: Final = 1 << 16


class _Bytes(Protocol):
    def read(self, num_bytes: int) -> bytes:
        """Exactly so many bytes; fails where there are fewer."""

    def finish(self) -> None:
        """Fail where the bytes are not what was written, as far as that can be told."""


def read_mat_shape(path: Path, variable: str) -> tuple[int, ...]:
    """The shape of an array, found without unpacking it.

    Raises:
        ClipError: where the file cannot be read, or holds no array of numbers of that name.
    """
    with _found(path, variable) as (_, _, shape):
        return shape


def read_mat_array(path: Path, variable: str, *, max_bytes: int) -> NDArray[np.number]:
    """An array of at most so many bytes, in the type in which it is stored.

    Raises:
        ClipError: as `read_mat_shape`, and where its numbers are damaged or not as many as its shape says.
    """
    with _found(path, variable) as (content, order, shape):
        number_type, num_bytes, inline = _read_tag(content, order)
        if number_type not in _NUMBER_TYPES:
            raise ClipError(_RULE, got=f"numbers of type {number_type}")
        dtype = np.dtype(order + _NUMBER_TYPES[number_type])
        if num_bytes != math.prod(shape) * dtype.itemsize:
            raise ClipError(_RULE, got=f"{num_bytes} bytes for the shape {shape}")
        if num_bytes > max_bytes:
            raise ClipError(f"{variable} must have at most {max_bytes:,} bytes", got=f"{num_bytes:,}")
        numbers = content.read(num_bytes) if inline is None else inline
        content.finish()
        return np.frombuffer(numbers, dtype).reshape(shape, order="F")


@contextmanager
def _found(path: Path, variable: str) -> Iterator[tuple[_Bytes, str, tuple[int, ...]]]:
    """What is behind the header of a variable, the order of its bytes, and its shape."""
    try:
        with open_regular(path) as file:
            order = _read_order(file.read(128))
            for content in _matrices(file, order):
                name, shape = _read_header(content, order)
                if name == variable.encode():
                    if shape is None:
                        raise ClipError(f"{variable} must be an array of numbers")
                    yield content, order, shape
                    return
    except (OSError, EOFError, zlib.error) as error:
        raise ClipError(_RULE, got=f"{type(error).__name__}: {error}") from error
    raise ClipError(f"a .mat file must hold {variable}")


def _read_order(header: bytes) -> str:
    if len(header) < 128:
        raise EOFError("an end within the header")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:])
    if order is None or struct.unpack(f"{order}H", header[124:126]) != (0x100,):
        raise ClipError("a .mat file must be of version 5", got=header[:20].decode("latin1"))
    return order


def _matrices(file: BinaryIO, order: str) -> Iterator[_Bytes]:
    """The contents of the matrices in a file, one by one."""
    size = os.fstat(file.fileno()).st_size
    while file.tell() < size:
        kind, num_bytes = struct.unpack(f"{order}II", _Plain(file, size).read(8))
        end = file.tell() + num_bytes
        if end > size:
            raise EOFError("an end within an element")
        if kind == _MATRIX:
            yield _Plain(file, end)
        elif kind == _COMPRESSED:
            packed = _Packed(file, end)
            if _read_tag(packed, order)[0] == _MATRIX:
                yield packed
        file.seek(end)


def _read_header(content: _Bytes, order: str) -> tuple[bytes, tuple[int, ...] | None]:
    """Name and shape of a matrix; no shape where it is not one of real numbers."""
    flags, dimensions, name = (_read_element(content, order) for _ in range(3))
    if len(flags) != 8 or len(dimensions) % 4 or len(dimensions) < 8:
        raise ClipError(_RULE, got="a matrix without flags or shape")
    (flag,) = struct.unpack(f"{order}I", flags[:4])
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    if min(shape) < 0:
        raise ClipError(_RULE, got=f"the shape {shape}")
    is_real = flag & 0xFF in _NUMBER_CLASSES and not flag & _IS_COMPLEX
    return name, shape if is_real else None


def _read_tag(content: _Bytes, order: str) -> tuple[int, int, bytes | None]:
    """Type and length of an element, and its content where it is short enough to lie in its tag."""
    tag = content.read(8)
    first, num_bytes = struct.unpack(f"{order}II", tag)
    if first >> 16 > 4:
        raise ClipError(_RULE, got=f"{first >> 16} bytes in a tag")
    if first >> 16:
        return first & 0xFFFF, first >> 16, tag[4 : 4 + (first >> 16)]
    return first, num_bytes, None


def _read_element(content: _Bytes, order: str) -> bytes:
    _, num_bytes, inline = _read_tag(content, order)
    if inline is not None:
        return inline
    if num_bytes > _MAX_HEADER_BYTES:
        raise ClipError(_RULE, got=f"{num_bytes} bytes in the header of a matrix")
    return content.read(-num_bytes % 8 + num_bytes)[:num_bytes]


class _Plain:
    """The bytes of a file up to an end."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file, self._end = file, end

    def read(self, num_bytes: int) -> bytes:
        if num_bytes > self._end - self._file.tell():
            raise EOFError("an end within an element")
        return self._file.read(num_bytes)

    def finish(self) -> None:
        pass


class _Packed:
    """What the compressed bytes of a file up to an end unpack to; no more is unpacked than is asked for."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file, self._end = file, end
        self._unpacker = zlib.decompressobj()

    def read(self, num_bytes: int) -> bytes:
        parts = []
        while num_bytes:
            parts.append(self._unpack(num_bytes))
            num_bytes -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        # The checksum comes last.
        while not self._unpacker.eof:
            self._unpack(_CHUNK_BYTES)

    def _unpack(self, max_bytes: int) -> bytes:
        packed = self._unpacker.unconsumed_tail
        packed = packed or self._file.read(min(_CHUNK_BYTES, max(0, self._end - self._file.tell())))
        if not packed or self._unpacker.eof:
            raise EOFError("an end within an element")
        return self._unpacker.decompress(packed, max_bytes)
