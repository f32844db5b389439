"""Reading .mat files as SciPy writes them, and refusing what is no array of numbers or not whole."""

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

from autohier.data.datasets.mat_file import read_mat_array, read_mat_shape
from autohier.errors import ClipError
from fuzz_law import at_most

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"]

read = partial(read_mat_array, max_bytes=8192)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.mat"


@pytest.mark.parametrize("is_packed", [False, True])
def test_arrays_come_as_they_were_written(path: Path, is_packed: bool) -> None:
    @given(st.data(), st.sampled_from(TYPES))
    def come(data: st.DataObject, dtype: str) -> None:
        array = data.draw(arrays(dtype, array_shapes(min_dims=2, max_dims=4, min_side=0)))
        savemat(path, {"before": "a text", "x": array, "after": np.zeros(3)}, do_compression=is_packed)
        assert read_mat_shape(path, "x") == array.shape
        found = read(path, "x")
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)

    come()


def big_endian(values: np.ndarray) -> bytes:
    """A file of one int16 matrix called x, as a big-endian machine writes it."""
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


def test_bytes_may_be_in_the_other_order(path: Path) -> None:
    values = np.array([[1, -2, 300], [4, 5, -600]])
    path.write_bytes(big_endian(values))
    np.testing.assert_array_equal(read(path, "x"), values)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    "value",
    ["a text", {"field": 1.0}, np.array([1, "a"], dtype=object), np.array([[1j]]), np.eye(2) > 0],
    ids=["text", "struct", "cell", "complex", "truth values"],
)
def test_what_is_not_of_numbers(path: Path, value: Any, is_packed: bool) -> None:
    savemat(path, {"x": value}, do_compression=is_packed)
    if isinstance(value, np.ndarray) and value.dtype == bool:  # MATLAB keeps these as uint8
        np.testing.assert_array_equal(read(path, "x"), value)
        return
    with pytest.raises(ClipError, match="x must be an array of numbers"):
        read(path, "x")
    with pytest.raises(ClipError, match=r"a \.mat file must hold y"):
        read(path, "y")


@pytest.mark.parametrize("is_packed", [False, True])
def test_every_cut_is_noticed_and_without_reading_the_numbers(path: Path, is_packed: bool) -> None:
    savemat(path, {"x": np.arange(60.0).reshape(3, 4, 5)}, do_compression=is_packed)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ClipError, match=r"a \.mat file must (be readable|hold x)"):
            read_mat_shape(path, "x")


def test_every_change_of_a_packed_number_is_noticed(path: Path) -> None:
    savemat(path, {"x": np.arange(60.0)}, do_compression=True)
    content = path.read_bytes()
    good = read(path, "x")
    for place in range(136, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ClipError, match=r"a \.mat file must (be readable|hold x)"):
            np.testing.assert_array_equal(read(path, "x"), good)


@pytest.mark.parametrize(
    ("number", "at", "reason"),
    [
        # Where SciPy's writer puts a matrix of 1 x 3 doubles called x.
        (3, 160, r"got 24 bytes for the shape \(3, 3\)"),
        (-1, 160, r"got the shape \(-1, 3\)"),
        (2**31 - 1, 160, r"got 24 bytes for the shape \(2147483647, 3\)"),
        (2**31 - 1, 180, r"got 2147483647 bytes for the shape \(1, 3\)"),
        (14, 176, "got numbers of type 14"),
        (0x50005, 176, "got 5 bytes in a tag"),
        (2**31 - 1, 156, "got 2147483647 bytes in the header of a matrix"),
        (2, 156, "got a matrix without flags or shape"),
        (2**31 - 1, 132, "got EOFError: an end within an element"),
    ],
)
def test_lengths_that_do_not_go_together(path: Path, number: int, at: int, reason: str) -> None:
    savemat(path, {"x": np.array([[1.5, 2.5, 3.5]])})
    content = bytearray(path.read_bytes())
    content[at : at + 4] = struct.pack("<i", number)
    path.write_bytes(content)
    with pytest.raises(ClipError, match=rf"a \.mat file must be readable, but {reason}"):
        read(path, "x")


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(path: Path) -> None:
    savemat(path, {"x": np.zeros((2**13, 2**12))}, do_compression=True)
    assert path.stat().st_size < 2**19
    with (
        at_most(2**24),
        pytest.raises(ClipError, match="x must have at most 8,192 bytes, but got 268,435,456"),
    ):
        read(path, "x")


def test_what_is_no_mat_file_of_version_5(path: Path) -> None:
    # Version 4 begins with numbers, of which one is negative here: SciPy reads it for ever.
    for header in (struct.pack("<5i", 50, -22, 1, 0, 2) + b"x\0" + bytes(200), b"no mat file".ljust(128)):
        path.write_bytes(header)
        with pytest.raises(ClipError, match=r"a \.mat file must be of version 5"):
            read_mat_shape(path, "x")
