"""Pickles of strangers: plain values and arrays of numbers are read, everything else is refused.

A pickle is a program. Here the names that it may call lead to stand-ins, which build arrays over the bytes
that the file holds, so that no array claims more memory than the file is long. MMCV writes with protocol 2,
in which bytes come as a call of ``_codecs.encode`` and empty ones as a call of ``bytes``.
"""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path
from typing import BinaryIO, Final

from autohier.data.datasets.pickled_arrays import STAND_INS
from autohier.errors import InputError, MissingDataError

MAX_BYTES: Final = 16 * 2**30
"""Larger files are refused: a whole one is held in memory."""

_DEEPEST = 100
"""Python itself fails on tuples that lie a hundred thousand deep in each other."""
# What damaged or crafted files make the unpickler and NumPy raise.
_FAULTS = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError),
    *(ImportError, MemoryError, RecursionError),
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> object:
        if (module, name) not in STAND_INS:
            raise InputError(
                "a pickle must hold nothing but plain values and arrays of numbers",
                got=f"one that asks for {module}.{name}",
                remedy="it could do anything, so nothing of it was run: ask whoever made it for plain data",
            )
        return STAND_INS[module, name]


def load_plain(path: Path) -> object:
    """Read a pickle of dicts, lists, tuples, text, numbers and arrays; arrays come as `PickledArray`.

    Raises:
        MissingDataError: where there is no such file.
        InputError: where it is too large, cut short, no pickle, or asks for anything else.
    """
    if not path.is_file():
        raise MissingDataError("the source must be a pickle file", got=path, remedy="see --source")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"a pickle must have at most {MAX_BYTES:,} bytes", got=f"{path.stat().st_size:,}"
            )
        with path.open("rb") as file:
            _check_steps(file)
            file.seek(0)
            return _Unpickler(file).load()
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    except _FAULTS as error:
        raise InputError(
            f"{path.name} must be a whole pickle of plain values",
            got=f"{type(error).__name__}: {error}",
            remedy="fetch or write it again",
        ) from error


def _check_steps(file: BinaryIO) -> None:
    """Run through a pickle without obeying it: that it is whole, and that it numbers its values by turn.

    The unpickler makes room for as many values as the highest number says.
    """
    depth = 0
    for number, (step, argument, _) in enumerate(pickletools.genops(file)):
        depth = depth + 1 if step.name == "TUPLE1" else 0
        if depth > _DEEPEST:
            raise pickle.UnpicklingError(f"more than {_DEEPEST} tuples within each other")
        if step.name in {"PUT", "BINPUT", "LONG_BINPUT"} and not 0 <= int(argument or 0) <= number:
            raise pickle.UnpicklingError(f"value number {argument} in step {number}")
