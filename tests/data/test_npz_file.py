"""Reading .npz files as NumPy writes them, and refusing what claims more than it holds or is no array."""

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

from autohier.data.datasets.npz_file import read_npz_arrays
from autohier.errors import ClipError
from fuzz_law import at_most

TYPES = ["i1", "u1", "i2", ">u2", "i4", "u4", "f2", "f4", ">f4", "f8", "i8", "u8"]
MAX_BYTES = 2**20

read = partial(read_npz_arrays, names=("x", "y"), max_bytes=MAX_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.npz"


def saved(array: Any, *, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version)
    return file.getvalue()


def zipped(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)


def claiming(shape: str, dtype: str, numbers: bytes = b"") -> bytes:
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_as_they_were_written(path: Path, save: Callable[..., None]) -> None:
    @given(st.data(), st.sampled_from(TYPES), st.sampled_from("CF"))
    def come(data: st.DataObject, dtype: str, order: Any) -> None:
        array = data.draw(arrays(dtype, array_shapes(min_dims=0, max_dims=4, min_side=0)))
        save(path, before=np.array([None]), x=np.array(array, order=order), z=np.zeros(3))
        found = read(path)
        assert list(found) == ["x"]
        assert found["x"].dtype == array.dtype
        np.testing.assert_array_equal(found["x"], array)

    come()


def test_headers_of_the_second_version_are_read(path: Path) -> None:
    zipped(path, saved([1.5, 2], version=(2, 0)))
    np.testing.assert_array_equal(read(path)["x"], [1.5, 2])


def test_headers_of_python_2_are_read_without_a_warning(path: Path) -> None:
    zipped(path, saved([[1, 2]]).replace(b"(1, 2), } ", b"(1L, 2), }"))
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(read(path)["x"], [[1, 2]])


@pytest.mark.parametrize("tenths", range(10))
def test_a_file_that_is_cut_short(path: Path, tenths: int) -> None:
    np.savez(path, x=np.zeros(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenths // 10])
    with pytest.raises(ClipError, match=r"an \.npz file must be readable, but got BadZipFile"):
        read(path)


def test_numbers_that_are_not_what_was_written(path: Path) -> None:
    np.savez(path, x=np.zeros(100, dtype="u1"))
    path.write_bytes(path.read_bytes().replace(bytes(100), bytes(99) + b"\1"))
    with pytest.raises(ClipError, match="BadZipFile: Bad CRC-32"):
        read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (claiming("(1000000000,)", "<f8"), r"x must have at most 1,048,576 bytes, but got 8,000,000,000"),
        (claiming("(262145,)", "|u1"), "but got 1,048,580"),  # which become float32
        (claiming("(4294967296, 4294967296)", "<f4"), "but got 73,786,976,294,838,206,464"),
        (claiming("(" + "9" * 4000 + ", 9" * 500 + ")", "<f4"), "ValueError: Exceeds the limit"),
        (claiming("(-1, -2)", "<f4", bytes(8)), r"ValueError: the shape \(-1, -2\)"),
        (claiming("(3,)", "<f4", bytes(11)), "EOFError: an end within x"),
        (claiming("(1,) * 9", "<f4"), "ValueError"),
        (claiming("1", "<f4"), "ValueError: shape is not valid: 1"),
        (claiming("(1,)", "|O", pickle.dumps([print])), "x must be an array of numbers, but got object"),
        (claiming("(2,)", "|V1000000000"), r"must be an array of numbers, but got \|V1000000000"),
        (claiming("(1,)", "<c8", bytes(8)), "must be an array of numbers, but got complex64"),
        (claiming("(1,)", "|b1", bytes(8)), "must be an array of numbers, but got bool"),
        (claiming("(" * 3000, "<f4"), "an .npz file must be readable, but got"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(2**20), "ValueError: EOF: reading array header"),
        (b"\x93NUMPY\x03\x00" + bytes(20), r"ValueError: an array of version \(3, 0\)"),
        (pickle.dumps([1.5]), "ValueError"),
        (b"", "ValueError: EOF"),
    ],
)
def test_what_an_array_claims_costs_nothing(path: Path, content: bytes, reason: str) -> None:
    zipped(path, content)
    with at_most(8 << 20), pytest.raises(ClipError, match=reason):
        read(path)


def test_a_file_that_unpacks_to_a_thousand_times_of_it(path: Path) -> None:
    zipped(path, claiming("(33554432,)", "|u1", bytes(2**25)))
    assert path.stat().st_size < 2**25 // 900
    with at_most(2**20), pytest.raises(ClipError, match="x must have at most 1,048,576 bytes, but got 33,4"):
        read(path)


def test_a_file_that_claims_to_unpack_to_little(path: Path) -> None:
    zipped(path, claiming("(250000,)", "|u1", bytes(2**25)))
    content = path.read_bytes()
    (size,) = [entry.file_size for entry in zipfile.ZipFile(path).infolist()]
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 1000)))
    with at_most(8 << 20), pytest.raises(ClipError, match="BadZipFile: Bad CRC-32"):
        read(path)


def test_other_packings_are_refused(path: Path) -> None:
    zipped(path, bytes(2**25), zipfile.ZIP_BZIP2)
    assert path.stat().st_size < 1000
    with (
        at_most(2**20),
        pytest.raises(ClipError, match=r"x must be as numpy\.savez writes it, but got another c"),
    ):
        read(path)
