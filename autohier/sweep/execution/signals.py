"""Ending a sweep on SIGINT, SIGTERM and SIGHUP: the first signal ends it cleanly, the second one at once.

A signal handler that raises at an arbitrary line can be lost, because Python ignores exceptions in some
callbacks, e.g. in those of the import locks. The handlers here therefore only note the signal. The driver
calls `StopRequest.check` at points where it can end safely, and several times a second while it waits.

``timeout``, Slurm and systemd may send the signal to all processes of a job. The processes of a local Ray do
not see it (`shielded_from_signals` in `ray_session.private_state`). Those of a cluster in the job end, and a
driver that waits for them in a library never reaches a check. A command therefore ends by itself after
`_LATE_S`: the files of a sweep are whole at every moment.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from autohier.errors import AutohierError
from autohier.machine import ENDING_SIGNALS
from autohier.sweep.execution.ray_session.private_state import kill_shielded_processes

_POLL_S = 0.02
_REPEAT_S = 1.0
"""Signals within this time count as one: ``timeout`` and other wrappers send the same signal twice."""
_LATE_S = 7.0
"""Time in which a sweep should end by itself; Kubernetes and Slurm kill after thirty seconds."""
_ERROR = 2
"""Exit code of commands that an error ends."""
_STDOUT, _STDERR = 1, 2
_HANGUP = getattr(signal, "SIGHUP", None)
_SHOW_CURSOR = b"\x1b[?25h\n"


class SweepInterruptedError(Exception):
    """Ends the driver at a safe point because the sweep should stop."""


class StopRequest:
    """Request to end a sweep, which a signal or another thread makes and the driver polls."""

    def __init__(self) -> None:
        self._made_at: float | None = None
        self._number: int = signal.SIGINT
        self.error: AutohierError | None = None
        """Error that ends the sweep in place of a signal; see `fail`."""
        self.notify: Callable[[int], None] = lambda _: None
        """Wakes the thread that ends the process if the sweep does not end in time."""
        self.describe: Callable[[], str] = lambda: (
            "interrupted before the first trial; run the same command again"
        )
        """Returns what was reached and how to continue, also in the middle of the driver's work."""

    @property
    def is_made(self) -> bool:
        """Return True if the sweep should end."""
        return self._made_at is not None

    @property
    def exit_code(self) -> int:
        """Exit code of a command that this request ended: 128 + the signal's number, as shells have it.

        2 after an error.
        """
        return 128 + self._number if self.error is None else _ERROR

    def make(self, number: int = signal.SIGINT) -> None:
        """Ask for the end of the sweep; safe in signal handlers and in any thread.

        Args:
            number: of the signal that asks for it.
        """
        if self._made_at is None:
            self._number = number
            self._made_at = time.monotonic()

    def fail(self, error: AutohierError) -> None:
        """Ask for the end of the sweep because of an error that the main thread may be too blocked to see."""
        if self._made_at is None:
            self.error = error
            self.make(signal.SIGTERM)
            self.notify(signal.SIGTERM)

    def comes_within(self, seconds: float) -> bool:
        """Wait for a stop request; return False on timeout."""
        deadline = time.monotonic() + seconds
        while not self.is_made and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self.is_made

    def check(self) -> None:
        """End the driver here if the sweep should end.

        Raises:
            SweepInterruptedError: if the request is made.
        """
        if self.is_made:
            raise SweepInterruptedError

    def is_repeated_now(self) -> bool:
        """Return True if a signal at this moment is a second one rather than a copy of the first."""
        return self._made_at is not None and time.monotonic() - self._made_at >= _REPEAT_S


_current: StopRequest | None = None


@contextmanager
def catch_signals(
    *,
    on_first: Callable[[], None] = lambda: None,
    on_late: Callable[[str], None] = lambda _: None,
    may_exit: bool = False,
) -> Iterator[StopRequest]:
    """Have `ENDING_SIGNALS` make a stop request while the block runs.

    An inner block yields the request of the outer one. Outside the main thread Python allows no signal
    handlers; only `StopRequest.make` makes the request there. A signal that the process already ignores stays
    ignored, e.g. SIGHUP under ``nohup``.

    Args:
        on_first: called in a thread of its own after the first signal.
        on_late: called in that thread with `StopRequest.describe` before the process ends late.
        may_exit: ends the process on the second signal, or if the block has not ended seven seconds after
            the first one, even if the main thread waits outside Python. If False, the second signal raises
            KeyboardInterrupt.
    """
    global _current  # noqa: PLW0603  signal handlers belong to the process
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield _current or StopRequest()
        return
    request = _current = StopRequest()
    try:
        with _watched(_Watcher(request, on_first, on_late, may_exit)), _handled(request, may_exit):
            yield request
    finally:
        _current = None


@contextmanager
def keep_handler(number: signal.Signals) -> Iterator[None]:
    """Restore a signal's handler when the block ends; does nothing outside the main thread."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


def reinstall_handlers() -> None:
    """Install the handlers that Python knows again, after a library has replaced them outside Python.

    Does nothing outside the main thread.
    """
    if threading.current_thread() is threading.main_thread():
        for number in ENDING_SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def _handled(request: StopRequest, may_exit: bool) -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if request.is_repeated_now() and not may_exit:
            raise KeyboardInterrupt
        if number == _HANGUP:  # before the request is seen, as the main thread may then print
            discard_lost_output()
        request.make(number)

    with ExitStack() as stack:
        for number in ENDING_SIGNALS:
            stack.enter_context(keep_handler(number))
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handle)
        yield


@contextmanager
def _watched(watcher: _Watcher) -> Iterator[None]:
    """Watch signals in a thread, through a descriptor that Python writes to as soon as a signal arrives."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    watcher.request.notify = lambda number: _write(write_end, number)
    thread = threading.Thread(target=watcher.watch, args=(read_end,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        watcher.request.notify = lambda _: None
        signal.set_wakeup_fd(before)
        os.close(write_end)
        thread.join()
        os.close(read_end)


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Reacts to signals in a thread that the main thread cannot block; see `catch_signals`."""

    request: StopRequest
    on_first: Callable[[], None]
    on_late: Callable[[str], None]
    may_exit: bool

    def watch(self, read_end: int) -> None:
        """Read numbers of signals until the other end of the pipe is closed."""
        late_at: float | None = None
        while True:
            if late_at is not None and not _is_readable(read_end, late_at - time.monotonic()):
                self._exit_late()
            numbers = os.read(read_end, 64)
            if not numbers:
                return
            own = [number for number in numbers if number in ENDING_SIGNALS]
            if own and late_at is None:
                late_at = time.monotonic() + (_LATE_S if self.may_exit else threading.TIMEOUT_MAX)
                if own[0] == _HANGUP:
                    discard_lost_output()
                self.request.make(own[0])
                if self.request.error is None:
                    with suppress(OSError, ValueError):  # the output may be closed
                        self.on_first()
            elif own and self.may_exit and self.request.is_repeated_now():
                _exit(self.request.exit_code)

    def _exit_late(self) -> None:
        try:
            if self.request.error is None:
                self.on_late(self.request.describe())
                sys.stdout.flush()
            else:
                sys.stderr.write(f"autohier: {self.request.error}\n")  # as a command does
        finally:
            _exit(self.request.exit_code)


def discard_lost_output() -> None:
    """Send standard output and standard error to nowhere if their terminal is closed.

    Writing to a terminal that is gone fails (EIO), which would end the sweep before it ends cleanly.
    """
    poll = select.poll()
    for descriptor in (_STDOUT, _STDERR):
        poll.register(descriptor, 0)
    for descriptor, events in poll.poll(0):
        if events & (select.POLLHUP | select.POLLERR):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def _write(descriptor: int, number: int) -> None:
    os.write(descriptor, bytes([number]))


def _is_readable(descriptor: int, timeout_s: float) -> bool:
    return bool(select.select([descriptor], [], [], max(0.0, timeout_s))[0])


def _exit(code: int) -> NoReturn:
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        os.write(_STDOUT, _SHOW_CURSOR)  # the live table hides it
    try:
        kill_shielded_processes()
    finally:
        os._exit(code)
