"""What SIGTERM does to a driver: the same as Ctrl-C, so that a cluster's scheduler ends it cleanly too."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt while the block runs.

    To be entered again after Ray is started, which installs a handler of its own.
    """
    with _on_sigterm(_interrupt):
        yield


@contextmanager
def sigterm_ends_tune() -> Iterator[None]:
    """SIGTERM has Ray Tune end what runs while the block runs: it finishes its step and returns.

    Tune leaves its own handlers behind; they are taken away when the block ends.
    """
    with _kept(signal.SIGINT), _kept(signal.SIGUSR1), _on_sigterm(_end_tune):
        yield


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end_tune(*_: object) -> None:
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        raise KeyboardInterrupt  # Tune does not listen yet
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def _on_sigterm(handler: Callable[..., None]) -> Iterator[None]:
    with _kept(signal.SIGTERM):
        if _may_set_handlers():
            signal.signal(signal.SIGTERM, handler)
        yield


@contextmanager
def _kept(number: signal.Signals) -> Iterator[None]:
    """Put a signal's handler back when the block ends."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if _may_set_handlers():
            signal.signal(number, before)


def _may_set_handlers() -> bool:
    return threading.current_thread() is threading.main_thread()
