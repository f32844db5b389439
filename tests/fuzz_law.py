"""The law that reading keeps, whatever a file holds, and how many inputs were tried against it.

An input is read, or refused with errors of one line each. That costs seconds at most, and memory in
proportion to its length beside what is allowed any input. Nothing else reaches the user: no other exception,
no warning.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, TypeVar

from hypothesis import settings

from autohier.errors import AutohierError

NUM_TRIED: Final[Counter[str]] = Counter()
"""Inputs by reader, over the whole run."""

Input = TypeVar("Input")
_MAX_CPU_S: Final = 5.0
_MAX_WAIT_S: Final = 30
_MAX_MESSAGE: Final = 1100  # a rule and a value of 500 each
_EXAMPLES: Final = int(os.environ.get("AUTOHIER_FUZZ_EXAMPLES", "0"))


def drawing(num_examples: int) -> settings:
    """How many inputs are drawn, the same in every run; $AUTOHIER_FUZZ_EXAMPLES draws that many anew."""
    return settings(max_examples=_EXAMPLES or num_examples, derandomize=not _EXAMPLES, deadline=None)


def some(inputs: Iterable[Input]) -> list[Input]:
    """Every third of inputs that cost much each; all where $AUTOHIER_FUZZ_EXAMPLES asks for a long run."""
    return list(inputs)[:: 1 if _EXAMPLES else 3]


@contextmanager
def saying(name: str) -> Iterator[None]:
    """Let what fails in a block say on which input."""
    try:
        yield
    except BaseException as error:
        error.add_note(name)
        raise


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
    """That a block comes to an end; time in which this process is stopped does not count."""
    num_ticks = 0

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal num_ticks
        num_ticks += number == signal.SIGALRM
        if number == signal.SIGPROF or num_ticks > _MAX_WAIT_S:
            raise AssertionError(f"a reader must not hang: {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    # Code that does not come back to Python hears no signal: the system ends it.
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 10 * _MAX_CPU_S), hard))
    signal.setitimer(signal.ITIMER_PROF, _MAX_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        for number, handler in before.items():
            signal.signal(number, handler)
