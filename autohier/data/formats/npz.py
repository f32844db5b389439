"""Arrays of numbers in .npz files, as `numpy.savez` and `numpy.savez_compressed` write them.

NumPy reads the arrays. The zip entries are checked first, so that a small file that decompresses to a large
array is refused before it is decompressed.
"""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.errors import ClipError, damage_text
from autohier.files import open_regular

_COMPRESSIONS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Deflate has a ratio of at most 1,000; others reach a million."""
_MAX_HEADER_BYTES: Final = 1 << 16  # NumPy reads at most 10,000
# Errors that NumPy and zipfile raise on damaged files; RuntimeError for an encrypted entry.
_FAULTS: Final = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError),
    *(tokenize.TokenError, OverflowError, MemoryError, RuntimeError),
)


def read_npz_arrays(path: Path, names: Sequence[str], *, max_bytes: int) -> dict[str, NDArray[np.number]]:
    """Read the named arrays that a file contains, in the dtypes in which they are stored.

    Args:
        path: the file.
        names: names of the arrays; those that the file does not contain are left out.
        max_bytes: size limit of each array, as stored and as float32.

    Raises:
        ClipError: if the file cannot be read, or one of the arrays is too large or not of numbers.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            present = {name: entries[f"{name}.npy"] for name in names if f"{name}.npy" in entries}
            return {name: _read_array(archive, entry, name, max_bytes) for name, entry in present.items()}
    except _FAULTS as error:
        raise ClipError("an .npz file must be readable", got=damage_text(error)) from error


def _read_array(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, max_bytes: int
) -> NDArray[np.number]:
    if entry.compress_type not in _COMPRESSIONS:
        raise ClipError(
            f"{name} must be stored or deflated", got="another compression", hint="write it with numpy.savez"
        )
    _check_size(name, entry.file_size - _MAX_HEADER_BYTES, max_bytes)
    with archive.open(entry) as content, warnings.catch_warnings(action="ignore"):  # headers of Python 2
        array: NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
    if array.dtype.kind not in "fiu":
        raise ClipError(f"{name} must be an array of numbers", got=array.dtype)
    _check_size(name, array.size * max(array.dtype.itemsize, 4), max_bytes)
    return array


def _check_size(name: str, num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise ClipError(f"{name} must have at most {max_bytes:,} bytes", got=f"{num_bytes:,}")
