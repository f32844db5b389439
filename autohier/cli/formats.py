"""Options ``--json`` and ``--csv`` of commands that print tables, and printing in the asked form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from autohier.cli.echo import echo
from autohier.errors import InputError

JsonOutput = Annotated[
    bool, typer.Option("--json", help="Print JSON with numbers instead of text (fields: docs/results.md).")
]
CsvOutput = Annotated[
    bool, typer.Option("--csv", help="Print the table as CSV, with numbers instead of text.")
]


def is_for_programs(*, as_json: bool, as_csv: bool) -> bool:
    """Return True if a command prints JSON or CSV.

    Raises:
        InputError: if it is asked for both.
    """
    if as_json and as_csv:
        raise InputError("--json and --csv cannot be combined", hint="pass one of them")
    return as_json or as_csv


def print_rows(
    parts: Mapping[str, object], row_type: type[Any], rows: Sequence[object], *, as_json: bool
) -> None:
    """Print parts as JSON, or rows as CSV.

    Args:
        parts: everything that the JSON holds, by name.
        row_type: kind of the rows.
        rows: what the CSV holds.
        as_json: prints JSON, else CSV.
    """
    from autohier.reports.output import csv_text, json_text

    echo(json_text(parts) if as_json else csv_text(row_type, rows).rstrip("\n"))
