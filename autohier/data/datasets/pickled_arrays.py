"""The arrays of a pickle, built over the bytes that its file holds.

NumPy's own reconstruction believes what a pickle says of shapes, of flags and of what the bytes are; here the
shape must account for every byte, and only plain numbers and text are made of them.
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
_PLAIN_DTYPE = re.compile(r"[<>|=]?(?:[fiu][1248]|b1|[US][1-9]\d{0,5})")


class PickledArray:
    """What a pickle says of one array; ``values`` is None where that is not an array of plain values."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        if isinstance(content, bytes | bytearray):
            self.values = _view(content, dtype, shape, "F" if is_fortran else "C")


class _Dtype:
    """What a pickle says of an array's numbers; only their code and byte order are believed."""

    __slots__ = ("code",)

    def __init__(self, code: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order, subarray, names, fields = state[1:5]
        is_plain = subarray is names is fields is None and order in {"<", ">", "|", "="}
        self.code = f"{order}{self.code}" if is_plain and isinstance(self.code, str) else None


class _StandIn:
    """Called for a name; unlike a function it has no attributes that a pickle could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *args: object) -> object:
        return self._make(*args)

    def __setstate__(self, _: object) -> None:
        raise pickle.UnpicklingError("a name's attributes are not to be set")


def _view(content: object, dtype: object, shape: object, order: object) -> NDArray[Any] | None:
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("an array is made of a dtype and of bytes")
    if not isinstance(dtype.code, str) or not _PLAIN_DTYPE.fullmatch(dtype.code):
        return None
    plain = np.dtype(dtype.code)
    lengths = shape if isinstance(shape, tuple) else (shape,)
    is_shape = all(isinstance(length, int) and 0 <= length <= sys.maxsize for length in lengths)
    # The product of a hundred thousand lengths takes hours.
    if len(lengths) > _MAX_DIMENSIONS or not is_shape:
        raise pickle.UnpicklingError(f"an array of the shape {reprlib.repr(shape)}")
    if math.prod(lengths) * plain.itemsize != len(content):
        raise pickle.UnpicklingError(f"an array of the shape {lengths} in {len(content)} bytes")
    if not content:
        return np.empty(lengths, plain)
    return np.frombuffer(content, plain).reshape(lengths, order="F" if order == "F" else "C")


def _empty_array(*_: object) -> PickledArray:
    return PickledArray()


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> PickledArray:
    array = PickledArray()
    array.values = _view(content, dtype, shape, order)
    return array


def _make_dtype(code: object, *_: object) -> _Dtype:
    return _Dtype(code)


def _no_bytes() -> bytes:
    return b""


_CORES = ("numpy.core", "numpy._core")
_BUFFERS = [(f"{core}.{module}", "_frombuffer") for core in _CORES for module in ("numeric", "multiarray")]


class _Copies:
    """Makes values by copying others; as often as a file likes, but no more of them than the file is long."""

    def __init__(self, num_bytes: int) -> None:
        self._num_left = num_bytes

    def encode(self, text: object, codec: object) -> bytes:
        if not isinstance(text, str) or codec != "latin1":
            raise pickle.UnpicklingError(f"bytes in the code {reprlib.repr(codec)}")
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
            raise pickle.UnpicklingError("more bytes and text than the file holds")


def stand_ins(num_bytes: int) -> Mapping[tuple[str, str], Callable[..., object]]:
    """What is called in a pickle of so many bytes for a (module, name).

    Old and new NumPy name the same things differently.
    """
    copies = _Copies(num_bytes)
    return {
        **{(f"{core}.multiarray", "_reconstruct"): _StandIn(_empty_array) for core in _CORES},
        **{(f"{core}.multiarray", "scalar"): _StandIn(copies.scalar) for core in _CORES},
        **dict.fromkeys(_BUFFERS, _StandIn(_from_buffer)),
        ("numpy", "ndarray"): _StandIn(_empty_array),
        ("numpy", "dtype"): _StandIn(_make_dtype),
        ("_codecs", "encode"): _StandIn(copies.encode),
        ("builtins", "bytes"): _StandIn(_no_bytes),
        ("__builtin__", "bytes"): _StandIn(_no_bytes),
    }
