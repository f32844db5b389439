"""Ctrl-C of commands that compute in their own process: an end with one line, or a clean end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import ParamSpec

import typer

from autohier.machine import ENDING_SIGNALS

INTERRUPTED = 130

P = ParamSpec("P")


CONTINUES = "interrupted; run the same command to continue"
KEEPS_NOTHING = "interrupted; nothing was changed"


def interruptible(command: Callable[P, None], text: str) -> Callable[P, None]:
    """Return a command that ends with one line and exit code 130 if Ctrl-C interrupts it.

    Args:
        command: the command.
        text: what the line says.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            typer.echo(text, err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run


@contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function on the first of `ENDING_SIGNALS` in the block; the second one ends it at once.

    A signal that the process already ignores stays ignored, e.g. SIGHUP under ``nohup``.

    Args:
        stop: asks the work of the block to end; must be quick and take no locks.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        stop()

    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        restore()
