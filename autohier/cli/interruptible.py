"""Ctrl-C of commands that compute in their own process: one line that says how to continue."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

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
