"""Unpickler for untrusted files: loads plain values and arrays of numbers, and refuses everything else.

A pickle is a program. An allow-list of the functions that it may call keeps it from running code, but not
from exhausting the machine. The standard library's Python unpickler, unlike the one in C, has no memo array
that a pickle of 10 bytes can grow to 4 GiB, and its opcodes can be overridden. Three limits are added:

- Keys of dicts and members of sets are hashed. Tuples are refused there, because hashing one that nests two
  references to the same tuple 40 levels deep never ends. So are integers of more than 64 bits, of which many
  share one hash.
- Integers have at most 8,192 bits (2,467 digits). Python prints at most 4,300 digits.
- Arrays are views of the bytes in the file, see `pickled_arrays`.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from autohier.data.formats.pickled_arrays import make_allow_list
from autohier.errors import InputError, MissingDataError, damage_text

MAX_BYTES: Final = 16 * 2**30
"""Size limit of a file, which is held in memory as a whole."""

_MAX_BITS: Final = 8192
_MAX_KEY_BITS: Final = 64
_KEY_TYPES: Final = (str, bytes, int, float, type(None))  # bool is an int

# Errors that damaged or crafted files raise in the unpickler and in NumPy.
_FAULTS: Final = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError),
    *(ImportError, MemoryError, RecursionError, struct.error),
)


def load_plain(path: Path) -> object:
    """Load a pickle of dicts, lists, tuples, sets, text, numbers and arrays; arrays are `PickledArray`.

    Time and memory are proportional to the length of the file.

    Raises:
        MissingDataError: if the file does not exist or cannot be read.
        InputError: if the file is too large, incomplete, not a pickle, or contains anything else.
    """
    if not path.is_file():
        raise MissingDataError("the source must be a pickle file", got=path, hint="see --source")
    try:
        num_bytes = path.stat().st_size
        if num_bytes > MAX_BYTES:
            raise InputError(f"a pickle must have at most {MAX_BYTES:,} bytes", got=f"{num_bytes:,}")
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    except _FAULTS as error:
        raise InputError(
            f"{path} must be a complete pickle of plain values",
            got=damage_text(error),
            hint="download or write it again",
        ) from error


class _SizedFile:
    """File that never allocates more than its size, and raises EOFError at its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, num_bytes: int) -> bytes:
        content = self._file.read(min(num_bytes, self._size))
        if len(content) < num_bytes:
            raise EOFError(f"the file ends after {len(content)} of {num_bytes} bytes")
        return content

    def readline(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the file ends within a line")
        return line


# The class is undocumented, but it has been the same since Python 3.4 and other projects build on it.
class _PlainUnpickler(pickle._Unpickler):  # noqa: SLF001
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001

    def __init__(self, file: BinaryIO) -> None:
        self.num_bytes = os.fstat(file.fileno()).st_size
        super().__init__(_SizedFile(file, self.num_bytes))
        self._allowed = make_allow_list(self.num_bytes)

    def find_class(self, module: str, name: str, /) -> object:
        if (module, name) not in self._allowed:
            raise InputError(
                "a pickle must contain only plain values and arrays of numbers",
                got=f"a reference to {module}.{name}",
                hint="nothing in it was run, because it could do anything; ask its author for plain data",
            )
        return self._allowed[module, name]

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(
            f"extension code {code}"
        )  # copyreg may have registered any object for it


def _with_key_check(load: Callable[[Any], None], keys: slice) -> Callable[[Any], None]:
    """Wrap an opcode that hashes values, which are at these places of the stack above its mark."""

    def load_checked(unpickler: Any) -> None:  # noqa: ANN401
        for key in unpickler.stack[keys]:
            if not isinstance(key, _KEY_TYPES) or (isinstance(key, int) and key.bit_length() > _MAX_KEY_BITS):
                kind = f"{key.bit_length()} bits" if isinstance(key, int) else type(key).__name__
                raise pickle.UnpicklingError(f"a dict key or set member must be text or a number, not {kind}")
        load(unpickler)

    return load_checked


def _with_bit_check(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap an opcode that pushes an integer."""

    def load_checked(unpickler: Any) -> None:  # noqa: ANN401
        load(unpickler)
        num_bits = int(unpickler.stack[-1]).bit_length()
        if num_bits > _MAX_BITS:
            raise pickle.UnpicklingError(f"an integer of {num_bits} bits")

    return load_checked


def _load_frame(unpickler: Any) -> None:  # noqa: ANN401
    """Refuse a frame that is longer than the file."""
    length = int.from_bytes(unpickler.read(8), "little")
    if length > unpickler.num_bytes:
        raise pickle.UnpicklingError(f"a frame of {length} bytes in {unpickler.num_bytes}")
    unpickler._unframer.load_frame(length)  # noqa: SLF001


def _load_bytearray8(unpickler: Any) -> None:  # noqa: ANN401
    """Push bytes; the standard library would fill a bytearray of any length with zeros first."""
    unpickler.append(unpickler.read(int.from_bytes(unpickler.read(8), "little")))


_ALL, _EVEN, _LAST_BUT_ONE = slice(None), slice(None, None, 2), slice(-2, None, 2)
_KEYS: Final = {
    pickle.SETITEM: _LAST_BUT_ONE,
    pickle.SETITEMS: _EVEN,
    pickle.DICT: _EVEN,
    pickle.ADDITEMS: _ALL,
    pickle.FROZENSET: _ALL,
}
for _opcode, _keys in _KEYS.items():
    _PlainUnpickler.dispatch[_opcode[0]] = _with_key_check(_PlainUnpickler.dispatch[_opcode[0]], _keys)
for _opcode in (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4):
    _PlainUnpickler.dispatch[_opcode[0]] = _with_bit_check(_PlainUnpickler.dispatch[_opcode[0]])
_PlainUnpickler.dispatch[pickle.FRAME[0]] = _load_frame
_PlainUnpickler.dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray8
