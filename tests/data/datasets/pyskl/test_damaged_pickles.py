"""Damaged and crafted pickles: none is read in part, and no code in them runs."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.formats.safe_pickle import load_plain
from autohier.errors import ClipError, InputError
from support.sources.tiny_pyskl import SPLIT, annotation, open_pyskl, write_pyskl


@pytest.mark.parametrize("tenths", range(10))
def test_a_truncated_file_is_refused(path: Path, tenths: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenths // 10])
    with pytest.raises(
        InputError, match=r"must be a complete pickle of plain values, but got .*: download or write it again"
    ):
        open_pyskl(path)


class _Call:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


def test_no_code_in_a_pickle_runs(path: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for call in ((os.system, f"touch {mark}"), (eval, f"open({str(mark)!r}, 'w')"), (open, str(mark), "w")):
        path.write_bytes(pickle.dumps({"split": SPLIT, "annotations": [], "x": _Call(*call)}))
        with pytest.raises(InputError, match=rf"but got a reference to \w+\.{call[0].__name__}: "):
            open_pyskl(path)
    assert not mark.exists()


@pytest.mark.parametrize("shape", [(2**60,), (2**31, 2**31), (-1,), (3,), (2.0,)])
def test_arrays_with_a_false_shape_are_refused(path: Path, shape: tuple[int, ...]) -> None:
    # The state of an array of one number, with another shape.
    state = (1, shape, np.dtype("f4"), False, b"1234")

    class ArrayOfShape:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.ndarray, ((0,),), state

    path.write_bytes(
        pickle.dumps({"split": SPLIT, "annotations": [annotation("a", 0) | {"keypoint": ArrayOfShape()}]})
    )
    with pytest.raises(
        InputError, match=r"complete pickle of plain values, but got damaged content \(an array of"
    ):
        open_pyskl(path)


def test_an_array_without_content_is_missing(path: Path) -> None:
    # ndarray((2**60,)) would ask NumPy for four exabytes.
    claim = _Call(np.ndarray, (2**60,), np.dtype("f4"))
    entries = [annotation("a", 0), annotation("b", 0) | {"keypoint": claim}]
    write_pyskl(path, entries, {"train": ["a"], "val": ["b"]})
    with pytest.raises(ClipError, match="an annotation must contain its keypoint"):
        open_pyskl(path).read_skeleton(open_pyskl(path).find_clips(path)[1])


@pytest.mark.parametrize(
    "content",
    [
        # Text of an exabyte, bytes of an exabyte, a frame of an exabyte, a bytearray of an exabyte.
        b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"a.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"a.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"a.",
        # Attributes of a function, an instance of one, a wrong argument, a persistent id, an extension.
        b"\x80\x04cnumpy\nndarray\n}b.",
        b"\x80\x04cnumpy\nndarray\n)\x81.",
        b"\x80\x04cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",
        b"\x80\x04Pid\n.",
        b"\x80\x04\x82\x05.",
        # 200,000 nested tuples as a dict key.
        b"\x80\x04}N" + b"\x85" * 200_000 + b"Ns.",
        b"not a pickle",
        b"\x1f\x8b\x08\x00\x00\x00",
        b"PK\x03\x04",
        b"",
    ],
)
def test_crafted_pickles_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"Some_Poses\.pkl must be a complete pickle"):
        open_pyskl(path)


def test_arrays_of_objects_and_records_have_no_values(path: Path) -> None:
    for array in (
        np.array(["a", None], dtype=object),
        np.zeros(3, dtype=[("x", "f4")]),
        np.zeros(3, "M8[s]"),
    ):
        path.write_bytes(pickle.dumps(array))
        values = load_plain(path).values  # type: ignore[attr-defined]
        assert values is None
