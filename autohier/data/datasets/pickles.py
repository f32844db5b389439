"""Pickles of strangers: plain values and arrays of numbers are read, everything else is refused.

A pickle is a program. Here the names that it may call lead to stand-ins, which build arrays over the bytes
that the file holds, so that no array claims more memory than the file is long. MMCV writes with protocol 2,
in which bytes come as a call of ``_codecs.encode`` and empty ones as a call of ``bytes``.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import BinaryIO, Final

from autohier.data.datasets.pickle_steps import check_steps
from autohier.data.datasets.pickled_arrays import stand_ins
from autohier.errors import InputError, MissingDataError

MAX_BYTES: Final = 16 * 2**30
"""Larger files are refused: a whole one is held in memory."""

# What damaged or crafted files make the unpickler and NumPy raise.
_FAULTS = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError),
    *(ImportError, MemoryError, RecursionError),
)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, num_bytes: int) -> None:
        super().__init__(file)
        self._stand_ins = stand_ins(num_bytes)

    def find_class(self, module: str, name: str, /) -> object:
        if (module, name) not in self._stand_ins:
            raise InputError(
                "a pickle must hold nothing but plain values and arrays of numbers",
                got=f"one that asks for {module}.{name}",
                remedy="it could do anything, so nothing of it was run: ask whoever made it for plain data",
            )
        return self._stand_ins[module, name]


def load_plain(path: Path) -> object:
    """Read a pickle of dicts, lists, tuples, text, numbers and arrays; arrays come as `PickledArray`.

    Raises:
        MissingDataError: where there is no such file.
        InputError: where it is too large, cut short, no pickle, or asks for anything else.
    """
    if not path.is_file():
        raise MissingDataError("the source must be a pickle file", got=path, remedy="see --source")
    try:
        num_bytes = path.stat().st_size
        if num_bytes > MAX_BYTES:
            raise InputError(f"a pickle must have at most {MAX_BYTES:,} bytes", got=f"{num_bytes:,}")
        with path.open("rb") as file:
            check_steps(file)
            file.seek(0)
            return _Unpickler(file, num_bytes).load()
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    except _FAULTS as error:
        raise InputError(
            f"{path.name} must be a whole pickle of plain values",
            got=f"{type(error).__name__}: {error}",
            remedy="fetch or write it again",
        ) from error
