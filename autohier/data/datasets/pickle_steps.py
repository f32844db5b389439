"""Running through a pickle without obeying it: what is refused before the unpickler sees it.

The unpickler trusts its program. It makes room for as many values as the highest number of one says, and for
as many bytes as a frame claims. It takes tuples for keys, whose hashing has no end where they hold each other
twice and twice again, and long numbers, which may all have one hash. And it makes numbers too long to print.
"""

from __future__ import annotations

import os
import pickle
import pickletools
from typing import IO, BinaryIO, Final, cast

_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_SLOW: Final = frozenset({"TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"})
"""What makes values that are hashed by all that they hold."""
_MAX_KEY_BITS: Final = 64
_MAX_BITS: Final = 8192  # 2,467 digits: Python prints 4,300
_KEYS: Final = {"SETITEM": 2, "SETITEMS": 2, "DICT": 2, "ADDITEMS": 1, "FROZENSET": 1}
"""What takes keys, and one of how many of its values is one."""


def check_steps(file: BinaryIO) -> None:
    """Check a whole pickle; what it costs is linear in its length.

    Raises:
        UnpicklingError: where it numbers its values out of turn, has keys that may be slow to hash, numbers
            of more than 8,192 bits, or frames longer than itself.
        ValueError: where it is cut short or no pickle; `LookupError` where it uses values that are not there.
    """
    size = os.fstat(file.fileno()).st_size
    stack = _Stack()
    for number, (step, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", _Within(file, size)))):
        if isinstance(argument, int):
            _check_number(step.name, argument, number, size)
        stack.follow(step, argument)


def _check_number(name: str, argument: int, number: int, size: int) -> None:
    if name in _PUTS and not 0 <= argument <= number:
        raise pickle.UnpicklingError(f"value number {argument} in step {number}")
    if name == "FRAME" and argument > size:
        raise pickle.UnpicklingError(f"a frame of {argument} bytes in {size}")
    if argument.bit_length() > _MAX_BITS:
        raise pickle.UnpicklingError(f"a number of {argument.bit_length()} bits")


class _Within:
    """A file of which no more is asked for than it holds: what is asked for is made room for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.readline = file.readline

    def read(self, num_bytes: int) -> bytes:
        return self._file.read(min(num_bytes, self._size))


class _Stack:
    """The unpickler's stack, of whose values one thing is known: whether they are slow to hash."""

    def __init__(self) -> None:
        self._is_slow: list[bool] = []
        self._marks: list[int] = []
        self._memo: dict[object, bool] = {}

    def follow(self, step: pickletools.OpcodeInfo, argument: object) -> None:
        """Do to the stack what a step of a pickle does to the unpickler's."""
        name = step.name
        if name in _GETS:
            self._is_slow.append(self._memo[argument])
        elif name in _PUTS:
            self._memo[len(self._memo) if argument is None else argument] = self._is_slow[-1]
        elif name == "DUP":
            self._is_slow.append(self._is_slow[-1])
        elif name == "MARK":
            self._marks.append(len(self._is_slow))
        elif name == "POP" and self._marks and self._marks[-1] == len(self._is_slow):
            self._marks.pop()
        else:
            self._apply(step, argument)

    def _apply(self, step: pickletools.OpcodeInfo, argument: object) -> None:
        before = len(step.stack_before)
        if pickletools.markobject in step.stack_before:
            before = step.stack_before.index(pickletools.markobject)
            taken = self._take(self._marks.pop())
        elif step.name == "SETITEM":
            before -= 2
            taken = self._take(len(self._is_slow) - 2)
        else:
            taken = []
        if step.name in _KEYS and any(taken[:: _KEYS[step.name]]):
            raise pickle.UnpicklingError("a key or member that is a tuple, a set or a long number")
        self._take(len(self._is_slow) - before)
        is_long = isinstance(argument, int) and argument.bit_length() > _MAX_KEY_BITS
        self._is_slow.extend([is_long or step.name in _SLOW] * len(step.stack_after))

    def _take(self, start: int) -> list[bool]:
        if start < (self._marks[-1] if self._marks else 0):
            raise pickle.UnpicklingError("a value that is not there")
        taken = self._is_slow[start:]
        del self._is_slow[start:]
        return taken
