"""Printing a line, without control characters that its names may hold."""

from __future__ import annotations

import typer

from autohier.text import shown


def echo(text: object = "", *, err: bool = False) -> None:
    """Print a line to standard output or standard error."""
    typer.echo(shown(str(text)), err=err)
