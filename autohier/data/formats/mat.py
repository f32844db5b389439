"""Arrays of numbers in MATLAB's .mat files of version 5, the default of MATLAB's ``save``.

SciPy is not used, because damaged files crash it: of at most 25,500 edited files, 127 ended the process with
SIGSEGV or SIGBUS in `scipy.io.loadmat` (SciPy 1.17). It trusts the type in the tag of the numbers, which
`whosmat` does not report. Here every length is checked against the others and against the content.

A file consists of a header of 128 bytes and of elements: eight bytes of type and length, then content. The
element of a matrix contains further elements: flags, shape, name, numbers. A compressed element contains the
element of one matrix. (MathWorks, MAT-File Format, chapter 1.)
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

from autohier.errors import ClipError, damage_text
from autohier.files import open_regular

_RULE: Final = "a .mat file must be readable"
_MATRIX, _COMPRESSED = 14, 15
_INTEGER_TYPES: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 12: "i8", 13: "u8"}
_NUMBER_TYPES: Final = _INTEGER_TYPES | {7: "f4", 9: "f8"}
_NUMBER_CLASSES: Final = range(6, 16)
_IS_COMPLEX: Final = 0x800
_MAX_HEADER_BYTES: Final = 256  # enough for 32 dimensions and a name of 63 letters
_CHUNK_BYTES: Final = 1 << 16


class _Bytes(Protocol):
    def read(self, num_bytes: int) -> bytes:
        """Read exactly this many bytes.

        Raises:
            EOFError: if fewer are left.
        """

    def finish(self) -> None:
        """Verify the checksum, if there is one.

        Raises:
            zlib.error: if it is wrong.
        """


def read_mat_shape(path: Path, variable: str) -> tuple[int, ...]:
    """Return the shape of an array without decompressing its numbers.

    Raises:
        ClipError: if the file cannot be read, or contains no array of numbers of this name.
    """
    with _open_variable(path, variable) as (_, _, shape):
        return shape


def read_mat_array(path: Path, variable: str, *, max_bytes: int) -> NDArray[np.number]:
    """Read an array of at most ``max_bytes`` bytes, in the dtype in which it is stored.

    Raises:
        ClipError: as in `read_mat_shape`, and if the numbers are damaged or do not fit the shape.
    """
    with _open_variable(path, variable) as (content, order, shape):
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
def _open_variable(path: Path, variable: str) -> Iterator[tuple[_Bytes, str, tuple[int, ...]]]:
    """Yield the content behind the header of a variable, its byte order and its shape."""
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
        raise ClipError(_RULE, got=damage_text(error)) from error
    raise ClipError(f"a .mat file must contain the variable {variable}")


def _read_order(header: bytes) -> str:
    if len(header) < 128:
        raise EOFError("the file ends within its header")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:])
    if order is None or struct.unpack(f"{order}H", header[124:126]) != (0x100,):
        raise ClipError("a .mat file must be of version 5", got=header[:20].decode("latin1"))
    return order


def _matrices(file: BinaryIO, order: str) -> Iterator[_Bytes]:
    """Yield the content of each matrix in a file."""
    size = os.fstat(file.fileno()).st_size
    while file.tell() < size:
        kind, num_bytes = struct.unpack(f"{order}II", _Plain(file, size).read(8))
        end = file.tell() + num_bytes
        if end > size:
            raise EOFError("the file ends within an element")
        if kind == _MATRIX:
            yield _Plain(file, end)
        elif kind == _COMPRESSED:
            compressed = _Compressed(file, end)
            if _read_tag(compressed, order)[0] == _MATRIX:
                yield compressed
        file.seek(end)


def _read_header(content: _Bytes, order: str) -> tuple[bytes, tuple[int, ...] | None]:
    """Return the name and the shape of a matrix; the shape is None if it is not of real numbers."""
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
    """Return the type and the length of an element, and its content if that fits into the tag."""
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
    """Bytes of a file up to an end."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file, self._end = file, end

    def read(self, num_bytes: int) -> bytes:
        if num_bytes > self._end - self._file.tell():
            raise EOFError("the file ends within an element")
        return self._file.read(num_bytes)

    def finish(self) -> None:
        pass


class _Compressed:
    """Decompressed bytes of a file up to an end; `read` decompresses no more than it returns."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file, self._end = file, end
        self._decompressor = zlib.decompressobj()

    def read(self, num_bytes: int) -> bytes:
        parts = []
        while num_bytes:
            parts.append(self._decompress(num_bytes))
            num_bytes -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        # The checksum is at the end.
        while not self._decompressor.eof:
            self._decompress(_CHUNK_BYTES)

    def _decompress(self, max_bytes: int) -> bytes:
        content = self._decompressor.unconsumed_tail
        content = content or self._file.read(min(_CHUNK_BYTES, max(0, self._end - self._file.tell())))
        if not content or self._decompressor.eof:
            raise EOFError("the file ends within an element")
        return self._decompressor.decompress(content, max_bytes)
