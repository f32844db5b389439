"""Output for other programs: rows as JSON or CSV, with numbers instead of formatted text.

A row is a frozen dataclass whose annotations describe its columns and their units, as those of
`autohier.records.schema` do. Shares are in [0, 1], times in UTC and ISO 8601, durations in seconds.
"""

from __future__ import annotations

import csv
import io
import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

from autohier.text import shown

_TYPE_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", datetime: "time"}


@dataclass(frozen=True, slots=True)
class Column:
    """Name, type and description of a field of a row."""

    name: str
    type_name: str
    """E.g. "number" or "list of text"; "or null" if it may be unknown."""
    doc: str


def columns_of(row_type: type[Any]) -> tuple[Column, ...]:
    """Return the columns of a kind of row, in order."""
    hints = get_type_hints(row_type, include_extras=True)
    return tuple(_column(each.name, hints[each.name]) for each in fields(row_type))


def json_text(parts: Mapping[str, object]) -> str:
    """Return rows and lists of rows as one JSON object, by the name of the part; unknown numbers are null."""
    return json.dumps(_plain(parts), indent=1, allow_nan=False)


def csv_text(row_type: type[Any], rows: Sequence[object]) -> str:
    """Return rows as CSV with a header; lists are separated by blanks, and unknown values are empty.

    Control characters are escaped, so that each row is one line.
    """
    names = [column.name for column in columns_of(row_type)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(_plain(getattr(row, name))) for name in names])
    return file.getvalue()


def _column(name: str, annotation: object) -> Column:
    annotated, doc = get_args(annotation)
    return Column(name, _type_name(annotated), doc)


def _type_name(annotation: object) -> str:
    arguments = get_args(annotation)
    if get_origin(annotation) in {Union, types.UnionType}:
        required = [each for each in arguments if each is not types.NoneType]
        return f"{_type_name(required[0])} or null"
    if get_origin(annotation) is tuple:
        return f"list of {_type_name(arguments[0])}"
    return _TYPE_NAMES.get(annotation, "text")  # type: ignore[call-overload, no-any-return]


def _plain(value: object) -> Any:  # noqa: ANN401  a JSON value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(str(_cell(each)) for each in value)
    return " ".join(shown(value).split("\n")) if isinstance(value, str) else value
