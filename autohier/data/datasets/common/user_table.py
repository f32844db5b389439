"""Small tables with which users describe a dataset, such as ``subjects.csv`` next to their clips."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.data.names import composed
from autohier.errors import InputError
from autohier.files import open_regular

_MAX_BYTES: Final = 2**28


@dataclass(frozen=True, slots=True)
class UserTable:
    """Rows of a table; cells are stripped and in composed letters."""

    columns: tuple[str, ...]
    """Names of the columns as written."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Line number and cells of every row that is not empty."""


def table_of(source: Path, name: str) -> Path:
    """Return the path of a table in a source folder, or next to a source file."""
    return (source if source.is_dir() else source.parent) / name


def read_user_table(path: Path) -> UserTable:
    """Read a table of comma-separated values, UTF-8.

    Raises:
        InputError: if it is not such a table.
    """
    try:
        with open_regular(path) as file:
            text = file.read(_MAX_BYTES).decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} must be CSV in UTF-8", got=error) from error
    head, *rows = [tuple(composed(cell.strip()) for cell in line) for line in lines] or [()]
    return UserTable(head, tuple((number, row) for number, row in enumerate(rows, start=2) if row))


def separator_hint(columns: Sequence[str]) -> str:
    """Return a hint for a header that seems to use another separator; empty if it does not."""
    return "save the table with commas" if len(columns) == 1 and re.search("[;\t]", columns[0]) else ""
