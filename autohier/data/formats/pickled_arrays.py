"""Replacements for the NumPy functions that pickles of arrays call; they build views of the file's bytes.

NumPy's own functions trust a pickle. With them on an allow-list, a pickle of 214 bytes makes NumPy follow
bytes of the file as object pointers, and one of 1 MB makes copies of 983 MiB. Here the shape must account for
every byte, and only arrays of plain numbers and text are built.
"""

from __future__ import annotations

import math
import pickle
import re
import reprlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_DIMENSIONS = 64
_MAX_CODE_CHARS = 16  # a pickle could make a code longer in each of many calls
_PLAIN_DTYPE = re.compile(r"[<>|=]?(?:[fiu][1248]|b1|[US][1-9]\d{0,5})")


class PickledArray:
    """Array in a pickle; ``values`` is None if its elements are not plain values."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        if isinstance(content, bytes):
            self.values = _view(content, dtype, shape, "F" if is_fortran else "C")


class _Dtype:
    """Dtype in a pickle, of which only the code and the byte order are used."""

    __slots__ = ("code",)

    def __init__(self, code: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order, subarray, names, fields = state[1:5]
        is_plain = subarray is names is fields is None and order in {"<", ">", "|", "="}
        is_code = isinstance(self.code, str) and len(self.code) <= _MAX_CODE_CHARS
        self.code = f"{order}{self.code}" if is_plain and is_code else None


class _Replacement:
    """Callable on the allow-list; unlike a function it has no attributes that a pickle could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *args: object) -> object:
        return self._make(*args)

    def __setstate__(self, _: object) -> None:
        raise pickle.UnpicklingError("a pickle must not set attributes of a function")


def _view(content: object, dtype: object, shape: object, order: object) -> NDArray[Any] | None:
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
        raise pickle.UnpicklingError("an array must be made of a dtype and of bytes")
    if not isinstance(dtype.code, str) or not _PLAIN_DTYPE.fullmatch(dtype.code):
        return None
    plain = np.dtype(dtype.code)
    lengths = shape if isinstance(shape, tuple) else (shape,)
    is_shape = all(isinstance(length, int) and 0 <= length <= sys.maxsize for length in lengths)
    # The product of a hundred thousand lengths takes hours.
    if len(lengths) > _MAX_DIMENSIONS or not is_shape:
        raise pickle.UnpicklingError(f"an array of shape {reprlib.repr(shape)}")
    if math.prod(lengths) * plain.itemsize != len(content):
        raise pickle.UnpicklingError(f"an array of shape {lengths} in {len(content)} bytes")
    if not content:
        return np.empty(lengths, plain)
    return np.frombuffer(content, plain).reshape(lengths, order="F" if order == "F" else "C")


def _make_array(*_: object) -> PickledArray:
    return PickledArray()


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> PickledArray:
    array = PickledArray()
    array.values = _view(content, dtype, shape, order)
    return array


def _make_dtype(code: object, *_: object) -> _Dtype:
    return _Dtype(code)


def _make_empty_bytes() -> bytes:
    return b""


class _Copier:
    """Functions that copy values; together they copy at most as many bytes as the file has."""

    def __init__(self, num_bytes: int) -> None:
        self._num_left = num_bytes

    def encode(self, text: object, codec: object) -> bytes:
        if not isinstance(text, str) or codec != "latin1":
            raise pickle.UnpicklingError(f"bytes in the encoding {reprlib.repr(codec)}")
        self._count(len(text))
        return text.encode("latin1")

    def scalar(self, dtype: object, content: object) -> object:
        values = _view(content, dtype, (1,), "C")
        if values is None:
            return None
        self._count(values.nbytes)
        return values[0].item()

    def _count(self, num_bytes: int) -> None:
        self._num_left -= num_bytes
        if self._num_left < 0:
            raise pickle.UnpicklingError("more bytes and text than the file has")


_CORES = ("numpy.core", "numpy._core")  # before and since NumPy 2
_BUFFERS = [(f"{core}.{module}", "_frombuffer") for core in _CORES for module in ("numeric", "multiarray")]


def make_allow_list(num_bytes: int) -> Mapping[tuple[str, str], Callable[..., object]]:
    """Return the replacements by (module, name) for a pickle of ``num_bytes`` bytes.

    With protocol 2, which MMCV writes, bytes are a call of ``_codecs.encode``, and empty ones of ``bytes``.
    """
    copier = _Copier(num_bytes)
    return {
        **{(f"{core}.multiarray", "_reconstruct"): _Replacement(_make_array) for core in _CORES},
        **{(f"{core}.multiarray", "scalar"): _Replacement(copier.scalar) for core in _CORES},
        **dict.fromkeys(_BUFFERS, _Replacement(_from_buffer)),
        ("numpy", "ndarray"): _Replacement(_make_array),
        ("numpy", "dtype"): _Replacement(_make_dtype),
        ("_codecs", "encode"): _Replacement(copier.encode),
        ("builtins", "bytes"): _Replacement(_make_empty_bytes),
        ("__builtin__", "bytes"): _Replacement(_make_empty_bytes),
    }
