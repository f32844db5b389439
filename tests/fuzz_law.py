"""The law that reading keeps, whatever a file holds, and how many inputs were tried against it.

An input is read, or refused with errors of one line each. That costs seconds at most, and memory in
proportion to its length beside what is allowed any input. Nothing else reaches the user: no other exception,
no warning.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from hypothesis import settings

from autohier.errors import AutohierError

NUM_TRIED: Final[Counter[str]] = Counter()
"""Inputs by reader, over the whole run."""

_MAX_CPU_S: Final = 5.0
_MAX_WALL_S: Final = 30.0  # of one that waits: others may keep this machine busy
_MAX_MESSAGE: Final = 1100  # a rule and a value of 500 each
_EXAMPLES: Final = int(os.environ.get("AUTOHIER_FUZZ_EXAMPLES", "0"))


def drawing(num_examples: int) -> settings:
    """How many inputs are drawn, the same in every run; $AUTOHIER_FUZZ_EXAMPLES draws that many anew."""
    return settings(max_examples=_EXAMPLES or num_examples, derandomize=not _EXAMPLES, deadline=None)


def keeps_law(
    reader: str, read: Callable[[], list[AutohierError]], *, num_bytes: int, source: Path
) -> list[AutohierError]:
    """Read an input.

    Args:
        reader: which reader it counts for.
        read: reads all that there is to read, and returns what refuses single clips.
        num_bytes: of memory that it may take.
        source: the folder of the input, which messages may name.

    Returns:
        The errors that refuse the input or its clips.
    """
    NUM_TRIED[reader] += 1
    with at_most(num_bytes), _watched(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in (DeprecationWarning, ResourceWarning):  # which Python keeps from users
            warnings.simplefilter("ignore", kind)
        try:
            errors = read()
        except AutohierError as refusal:
            errors = [refusal]
    for error in errors:
        check_message(str(error), source)
    return errors


def check_message(text: str, source: Path) -> None:
    """That a message is one line that can be printed and read."""
    text = text.replace(str(source), "")
    assert text
    assert text.isprintable(), ascii(text)
    assert len(text) <= _MAX_MESSAGE


@contextmanager
def at_most(num_bytes: int) -> Iterator[None]:
    """That a block takes at most so much more memory than this process has."""
    Path("/proc/self/clear_refs").write_text("5")  # the most that was taken is noted anew
    before = _memory("VmRSS")
    yield
    taken = _memory("VmHWM") - before
    assert taken <= num_bytes, f"{taken:,} bytes, and not {num_bytes:,}"


def _memory(name: str) -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) << 10


@contextmanager
def _watched() -> Iterator[None]:
    def stop(number: int, _: FrameType | None) -> None:
        raise AssertionError(f"a reader must not hang: {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    faulthandler.dump_traceback_later(2 * _MAX_WALL_S, exit=True, file=2)  # where C code does not come back
    signal.setitimer(signal.ITIMER_PROF, _MAX_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, _MAX_WALL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        for number, handler in before.items():
            signal.signal(number, handler)
