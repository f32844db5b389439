"""One-line messages for wrong usage of the command line: unknown commands and options, invalid values."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

import typer
from pydantic import ValidationError

from autohier.errors import one_line
from autohier.faults import Fault, find_faults

UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Base class of all usage errors, of which typer exports only subclasses."""


def usage_text(error: Exception) -> str:
    """Return a usage error as one line that names the help page; empty if typer printed the help already."""
    usage_error = cast("typer.BadParameter", error)  # any UsageError has these members
    cause = error.__cause__
    if isinstance(cause, ValidationError):  # typer converts values with pydantic
        usage_error.message = "; ".join(_without_quotes(fault).text for fault in find_faults(cause))
    message = one_line(usage_error.format_message()).replace("Value error, ", "").rstrip(".")
    if not message or usage_error.ctx is None:
        return message
    return f"{message} (see '{usage_error.ctx.command_path} --help')"


def _without_quotes(fault: Fault) -> Fault:
    # All values of a command line are text; what was typed is shown as it was typed.
    return replace(fault, got=fault.got.strip("'"))
