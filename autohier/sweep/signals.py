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
    """SIGTERM has Ray Tune end what runs while the block runs: it finishes its step and returns."""
    with _on_sigterm(_end_tune):
        yield


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end_tune(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def _on_sigterm(handler: Callable[..., None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
