"""Reading .npz files as NumPy writes them, and refusing those whose sizes are false or too large."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from autohier.data.formats.npz import read_npz_arrays
from autohier.errors import ClipError
from support.fuzz.law import at_most

TYPES = ["i1", "u1", "i2", ">u2", "i4", "u4", "f2", "f4", ">f4", "f8", "i8", "u8"]
MAX_BYTES = 2**20

read = partial(read_npz_arrays, names=("x", "y"), max_bytes=MAX_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.npz"


def npy_bytes(array: Any, *, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version)
    return file.getvalue()


def write_zip(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)


def with_header(shape: str, dtype: str, numbers: bytes = b"") -> bytes:
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_written(path: Path, save: Callable[..., None]) -> None:
    @given(st.data(), st.sampled_from(TYPES), st.sampled_from("CF"))
    def check(data: st.DataObject, dtype: str, order: Any) -> None:
        array = data.draw(arrays(dtype, array_shapes(min_dims=0, max_dims=4, min_side=0)))
        save(path, before=np.array([None]), x=np.array(array, order=order), z=np.zeros(3))
        loaded = read(path)
        assert list(loaded) == ["x"]
        assert loaded["x"].dtype == array.dtype
        np.testing.assert_array_equal(loaded["x"], array)

    check()


def test_version_2_headers_are_read(path: Path) -> None:
    write_zip(path, npy_bytes([1.5, 2], version=(2, 0)))
    np.testing.assert_array_equal(read(path)["x"], [1.5, 2])


def test_headers_of_python_2_cause_no_warning(path: Path) -> None:
    write_zip(path, npy_bytes([[1, 2]]).replace(b"(1, 2), } ", b"(1L, 2), }"))
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(read(path)["x"], [[1, 2]])


@pytest.mark.parametrize("tenths", range(10))
def test_a_truncated_file_is_refused(path: Path, tenths: int) -> None:
    np.savez(path, x=np.zeros(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenths // 10])
    with pytest.raises(ClipError, match=r"an \.npz file must be readable, but got damaged content \(.*\)$"):
        read(path)


def test_a_wrong_checksum_is_refused(path: Path) -> None:
    np.savez(path, x=np.zeros(100, dtype="u1"))
    path.write_bytes(path.read_bytes().replace(bytes(100), bytes(99) + b"\1"))
    with pytest.raises(ClipError, match=r"damaged content \(Bad CRC-32"):
        read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (with_header("(1000000000,)", "<f8"), r"damaged content \(EOF: reading array data"),
        (
            with_header("(262145,)", "|u1", bytes(262145)),
            "at most 1,048,576 bytes, but got 1,048,580",
        ),  # as float32
        (with_header("(4294967296, 4294967296)", "<f4"), r"damaged content \(cannot reshape"),
        (with_header("(" + "9" * 4000 + ", 9" * 500 + ")", "<f4"), "damaged content$"),
        (with_header("(-1, -2)", "<f4", bytes(8)), r"damaged content \(can only specify one unknown"),
        (with_header("(3,)", "<f4", bytes(11)), "expected 12 bytes got 11"),
        (with_header("(1,) * 9", "<f4"), "damaged content$"),
        (with_header("1", "<f4"), r"damaged content \(shape is not valid: 1"),
        (with_header("(1,)", "|O", pickle.dumps([print])), "Object arrays cannot be loaded"),
        (with_header("(2,)", "|V1000000000"), "EOF: reading array data"),
        (with_header("(2,)", "|V3", bytes(6)), r"x must be an array of numbers, but got \|V3"),
        (with_header("(1,)", "<c8", bytes(8)), "must be an array of numbers, but got complex64"),
        (with_header("(1,)", "|b1", bytes(8)), "must be an array of numbers, but got bool"),
        (with_header("(" * 3000, "<f4"), "an .npz file must be readable, but got"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(2**20), r"damaged content \(EOF: reading array header"),
        (b"\x93NUMPY\x04\x00" + bytes(20), "we only support format version"),
        (pickle.dumps([1.5]), r"damaged content \(the magic string"),
        (b"", r"damaged content \(EOF"),
    ],
)
def test_a_false_header_costs_no_memory(path: Path, content: bytes, reason: str) -> None:
    write_zip(path, content)
    with at_most(8 << 20), pytest.raises(ClipError, match=reason):
        read(path)


def test_a_decompression_bomb_is_refused(path: Path) -> None:
    write_zip(path, with_header("(33554432,)", "|u1", bytes(2**25)))
    assert path.stat().st_size < 2**25 // 900
    with at_most(2**20), pytest.raises(ClipError, match="x must have at most 1,048,576 bytes, but got 33,4"):
        read(path)


def test_a_false_size_of_an_entry_is_refused(path: Path) -> None:
    write_zip(path, with_header("(250000,)", "|u1", bytes(2**25)))
    content = path.read_bytes()
    (size,) = [entry.file_size for entry in zipfile.ZipFile(path).infolist()]
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 1000)))
    with at_most(8 << 20), pytest.raises(ClipError, match=r"damaged content \(Bad CRC-32"):
        read(path)


def test_other_compressions_are_refused(path: Path) -> None:
    write_zip(path, bytes(2**25), zipfile.ZIP_BZIP2)
    assert path.stat().st_size < 1000
    with (
        at_most(2**20),
        pytest.raises(ClipError, match=r"x must be stored or deflated, but got another compression"),
    ):
        read(path)
