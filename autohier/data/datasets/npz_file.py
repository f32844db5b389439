"""Arrays of numbers in the .npz files that `numpy.savez` and `numpy.savez_compressed` write.

NumPy makes room for an array as large as its header says before it looks for its numbers. Here what a file
says of its sizes is checked first, so that a small file costs no more than what is allowed any.

A file is a zip archive with an entry per array: a header that tells its type, order and shape, then its
numbers. (NumPy, the .npy format, `numpy.lib.format`.)
"""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from autohier.errors import ClipError
from autohier.files import open_regular

_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Others unpack to a million times of what they are."""
_MAX_HEADER_BYTES: Final = 1 << 16  # more than NumPy reads of one
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What NumPy and zipfile let out on files they cannot read; a RuntimeError for a packing that is not known.
_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError),
    *(tokenize.TokenError, OverflowError, MemoryError, RuntimeError),
)


def read_npz_arrays(path: Path, names: Sequence[str], *, max_bytes: int) -> dict[str, NDArray[np.number]]:
    """Those of some arrays that a file holds, in the types in which they are stored.

    Args:
        path: the file.
        names: of the arrays.
        max_bytes: that each may have, as stored and as float32.

    Raises:
        ClipError: where the file cannot be read, or one of the arrays is not of numbers or larger.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            found = {name: entries[f"{name}.npy"] for name in names if f"{name}.npy" in entries}
            return {name: _read_array(archive, entry, name, max_bytes) for name, entry in found.items()}
    except _ERRORS as error:
        raise ClipError("an .npz file must be readable", got=f"{type(error).__name__}: {error}") from error


def _read_array(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, max_bytes: int
) -> NDArray[np.number]:
    if entry.compress_type not in _METHODS:
        raise ClipError(f"{name} must be as numpy.savez writes it", got="another compression")
    _check_size(name, entry.file_size - _MAX_HEADER_BYTES, max_bytes)
    with archive.open(entry) as content:
        shape, is_fortran, dtype = _read_header(content)
        if dtype.kind not in "fiu":
            raise ClipError(f"{name} must be an array of numbers", got=dtype)
        if min(shape, default=0) < 0:
            raise ValueError(f"the shape {shape}")
        num_numbers = math.prod(shape)
        _check_size(name, num_numbers * max(dtype.itemsize, 4), max_bytes)
        numbers = content.read(num_numbers * dtype.itemsize)
    if len(numbers) != num_numbers * dtype.itemsize:
        raise EOFError(f"an end within {name}")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if is_fortran else "C")


def _check_size(name: str, num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise ClipError(f"{name} must have at most {max_bytes:,} bytes", got=f"{num_bytes:,}")


def _read_header(content: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(content)
    if version not in _HEADERS:
        raise ValueError(f"an array of version {version}")
    with warnings.catch_warnings(action="ignore"):  # of files that were written under Python 2
        shape, is_fortran, dtype = _HEADERS[version](content)
    return shape, is_fortran, dtype
