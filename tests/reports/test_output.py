"""Output for other programs: JSON and CSV of rows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated

import reference_output

from autohier.reports.output import Column, columns_of, csv_text, json_text


@dataclass(frozen=True, slots=True)
class Row:
    name: Annotated[str, "name"]
    share: Annotated[float | None, "share"] = None
    steps: Annotated[tuple[int, ...], "steps"] = ()
    at: Annotated[datetime | None, "time"] = None
    right: Annotated[bool, "right"] = True


ROWS = [Row("a,\nb\x1b[2J", 0.5, (1, 2), datetime(2026, 3, 1, 12, tzinfo=UTC)), Row("c", float("nan"))]


def test_json_holds_numbers_and_null_for_unknown_ones() -> None:
    first, second = json.loads(json_text({"rows": ROWS}))["rows"]
    assert first == {
        "name": "a,\nb\x1b[2J",
        "share": 0.5,
        "steps": [1, 2],
        "at": "2026-03-01T12:00:00+00:00",
        "right": True,
    }
    assert (second["share"], second["at"], second["steps"]) == (None, None, [])


def test_csv_is_one_line_a_row_without_control_characters() -> None:
    text = csv_text(Row, ROWS)
    assert len(text.splitlines()) == 3
    header, first, second = csv.reader(io.StringIO(text))
    assert header == [each.name for each in fields(Row)]
    assert first == ["a, b\\x1b[2J", "0.5", "1 2", "2026-03-01T12:00:00+00:00", "true"]
    assert second == ["c", "", "", "", "true"]


def test_columns_say_what_they_hold() -> None:
    assert columns_of(Row) == (
        Column("name", "text", "name"),
        Column("share", "number or null", "share"),
        Column("steps", "list of integer", "steps"),
        Column("at", "time or null", "time"),
        Column("right", "true or false", "right"),
    )


def test_the_reference_lists_every_field_of_every_command() -> None:
    text = reference_output.write_output()
    for command, parts in reference_output.ROWS.items():
        for part, row_type in parts:
            _, _, section = text.partition(f"### `autohier {command}`: `{part}`")
            section = section.partition("\n### ")[0]
            for column in columns_of(row_type):
                assert f"| `{column.name}` | {column.type_name} |" in section
