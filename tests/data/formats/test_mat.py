"""Reading .mat files as SciPy writes them, and refusing damaged ones and other variables."""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import savemat

from autohier.data.formats.mat import read_mat_array, read_mat_shape
from autohier.errors import ClipError
from support.fuzz.law import at_most

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"]

read = partial(read_mat_array, max_bytes=8192)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.mat"


@pytest.mark.parametrize("is_compressed", [False, True])
def test_arrays_are_read_as_written(path: Path, is_compressed: bool) -> None:
    @given(st.data(), st.sampled_from(TYPES))
    def check(data: st.DataObject, dtype: str) -> None:
        array = data.draw(arrays(dtype, array_shapes(min_dims=2, max_dims=4, min_side=0)))
        savemat(path, {"before": "a text", "x": array, "after": np.zeros(3)}, do_compression=is_compressed)
        assert read_mat_shape(path, "x") == array.shape
        loaded = read(path, "x")
        assert loaded.dtype == array.dtype
        np.testing.assert_array_equal(loaded, array)

    check()


def big_endian(values: np.ndarray) -> bytes:
    """Return a file of one int16 matrix x, as a big-endian machine writes it."""
    elements = [
        (6, struct.pack(">II", 10, 0)),
        (5, struct.pack(">ii", *values.shape)),
        (1, b"x"),
        (3, values.astype(">i2").tobytes("F")),
    ]
    matrix = b"".join(
        struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)
        for kind, content in elements
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x100) + b"MI"
    return header + struct.pack(">II", 14, len(matrix)) + matrix


def test_big_endian_files_are_read(path: Path) -> None:
    values = np.array([[1, -2, 300], [4, 5, -600]])
    path.write_bytes(big_endian(values))
    np.testing.assert_array_equal(read(path, "x"), values)


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize(
    "value",
    ["a text", {"field": 1.0}, np.array([1, "a"], dtype=object), np.array([[1j]]), np.eye(2) > 0],
    ids=["text", "struct", "cell", "complex", "booleans"],
)
def test_other_variables_are_refused(path: Path, value: Any, is_compressed: bool) -> None:
    savemat(path, {"x": value}, do_compression=is_compressed)
    if isinstance(value, np.ndarray) and value.dtype == bool:  # MATLAB stores these as uint8
        np.testing.assert_array_equal(read(path, "x"), value)
        return
    with pytest.raises(ClipError, match="x must be an array of numbers"):
        read(path, "x")
    with pytest.raises(ClipError, match=r"a \.mat file must contain the variable y"):
        read(path, "y")


@pytest.mark.parametrize("is_compressed", [False, True])
def test_every_truncated_file_is_refused_without_reading_the_numbers(path: Path, is_compressed: bool) -> None:
    savemat(path, {"x": np.arange(60.0).reshape(3, 4, 5)}, do_compression=is_compressed)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ClipError, match=r"a \.mat file must (be readable|contain the variable x)"):
            read_mat_shape(path, "x")


def test_every_flipped_bit_of_compressed_numbers_is_refused(path: Path) -> None:
    savemat(path, {"x": np.arange(60.0)}, do_compression=True)
    content = path.read_bytes()
    good = read(path, "x")
    for place in range(136, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ClipError, match=r"a \.mat file must (be readable|contain the variable x)"):
            np.testing.assert_array_equal(read(path, "x"), good)


@pytest.mark.parametrize(
    ("number", "at", "reason"),
    [
        # Offsets in a file by SciPy with a matrix x of 1 x 3 doubles.
        (3, 160, r"got 24 bytes for the shape \(3, 3\)"),
        (-1, 160, r"got the shape \(-1, 3\)"),
        (2**31 - 1, 160, r"got 24 bytes for the shape \(2147483647, 3\)"),
        (2**31 - 1, 180, r"got 2147483647 bytes for the shape \(1, 3\)"),
        (14, 176, "got numbers of type 14"),
        (0x50005, 176, "got 5 bytes in a tag"),
        (2**31 - 1, 156, "got 2147483647 bytes in the header of a matrix"),
        (2, 156, "got a matrix without flags or shape"),
        (2**31 - 1, 132, r"got an early end \(the file ends within an element\)$"),
    ],
)
def test_contradicting_lengths_are_refused(path: Path, number: int, at: int, reason: str) -> None:
    savemat(path, {"x": np.array([[1.5, 2.5, 3.5]])})
    content = bytearray(path.read_bytes())
    content[at : at + 4] = struct.pack("<i", number)
    path.write_bytes(content)
    with pytest.raises(ClipError, match=rf"a \.mat file must be readable, but {reason}"):
        read(path, "x")


def test_a_decompression_bomb_is_refused(path: Path) -> None:
    savemat(path, {"x": np.zeros((2**13, 2**12))}, do_compression=True)
    assert path.stat().st_size < 2**19
    with (
        at_most(2**24),
        pytest.raises(ClipError, match="x must have at most 8,192 bytes, but got 268,435,456"),
    ):
        read(path, "x")


def test_other_versions_are_refused(path: Path) -> None:
    # Version 4 begins with numbers, of which one is negative here: SciPy never returns.
    for header in (struct.pack("<5i", 50, -22, 1, 0, 2) + b"x\0" + bytes(200), b"no mat file".ljust(128)):
        path.write_bytes(header)
        with pytest.raises(ClipError, match=r"a \.mat file must be of version 5"):
            read_mat_shape(path, "x")
