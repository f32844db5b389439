"""The law of reading untrusted files, and the number of inputs on which it was checked.

An input is read, or refused with errors of one line each. This takes seconds at most, and memory proportional
to the input's length plus a constant. Nothing else reaches the user: no other exception and no warning.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final, TypeVar

from hypothesis import settings

from autohier.errors import AutohierError

NUM_TRIED: Final[Counter[str]] = Counter()
"""Number of inputs per reader in this run."""

Input = TypeVar("Input")
_MAX_CPU_S: Final = 5.0
"""Processor time to read an input; more on a machine that is slower than `_USUAL_S`, see `_slowness`."""
_USUAL_S: Final = 0.02
_COST_OF_TRACING: Final = 4  # a line tracer, e.g. that of coverage, calls Python for each line
_MAX_WAIT_S: Final = 600
_MAX_MESSAGE: Final = 1100  # a rule and a value of 500 characters each
_EXAMPLES: Final = int(os.environ.get("AUTOHIER_FUZZ_EXAMPLES", "0"))


@cache
def _slowness() -> float:
    """Return how many times slower than usual this machine is, at least 1."""
    started = time.process_time()
    sum(number * number % 7 for number in range(250_000))
    return max(1.0, (time.process_time() - started) / _USUAL_S)


def fuzz_settings(num_examples: int) -> settings:
    """Return settings for a fixed set of examples; $AUTOHIER_FUZZ_EXAMPLES sets a number of random ones."""
    return settings(max_examples=_EXAMPLES or num_examples, derandomize=not _EXAMPLES)


def every_third(inputs: Iterable[Input]) -> list[Input]:
    """Return every third of expensive inputs; all if $AUTOHIER_FUZZ_EXAMPLES is set."""
    return list(inputs)[:: 1 if _EXAMPLES else 3]


@contextmanager
def naming_input(name: str) -> Iterator[None]:
    """Add the name of an input to errors in the block."""
    try:
        yield
    except BaseException as error:
        error.add_note(name)
        raise


def check_law(
    reader: str, read: Callable[[], list[AutohierError]], *, num_bytes: int, source: Path
) -> list[AutohierError]:
    """Read an input, and check that reading keeps the law.

    Args:
        reader: name of the reader in `NUM_TRIED`.
        read: reads everything, and returns the errors that refuse single clips.
        num_bytes: memory that it may take.
        source: folder of the input, which messages may contain.

    Returns:
        The errors that refuse the input or its clips.
    """
    NUM_TRIED[reader] += 1
    with at_most(num_bytes), _watched(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in (DeprecationWarning, ResourceWarning):  # hidden from users by default
            warnings.simplefilter("ignore", kind)
        try:
            errors = read()
        except AutohierError as refusal:
            errors = [refusal]
    for error in errors:
        check_message(str(error), source)
    return errors


def check_message(text: str, source: Path) -> None:
    """Check that a message is one printable line of limited length."""
    text = text.replace(str(source), "")
    assert text
    assert text.isprintable(), ascii(text)
    assert len(text) <= _MAX_MESSAGE


@contextmanager
def at_most(num_bytes: int) -> Iterator[None]:
    """Check that the block takes at most this much memory beyond that of the process."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _memory("VmRSS")
    yield
    used = _memory("VmHWM") - before
    assert used <= num_bytes, f"{used:,} bytes instead of at most {num_bytes:,}"


def _memory(name: str) -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) << 10


@contextmanager
def _watched() -> Iterator[None]:
    """Check that the block ends; time in which this process is stopped does not count."""
    num_ticks = 0
    max_cpu_s = _MAX_CPU_S * _slowness() * (_COST_OF_TRACING if sys.gettrace() else 1)

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal num_ticks
        num_ticks += number == signal.SIGALRM
        if number == signal.SIGPROF or num_ticks > _MAX_WAIT_S:
            raise AssertionError(f"a reader must not hang: {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    # Code that does not return to Python receives no signal: the system ends the process.
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 10 * max_cpu_s), hard))
    signal.setitimer(signal.ITIMER_PROF, max_cpu_s)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        for number, handler in before.items():
            signal.signal(number, handler)
