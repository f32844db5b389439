"""Gym99's hierarchy: elements in 15 sets, sets in 4 events.

The table ``hierarchy.csv`` next to this module is inferred from the elements' names, because none is
published; a ``gym99_hierarchy.csv`` in a source replaces it. Only the set of element 24, an arabian double
salto, is uncertain: here it is a set of its own, side saltos, while a copy of the categories lists it among
the front saltos, which leaves 14 sets.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from autohier.data.datasets.common.file_search import find_named
from autohier.data.formats.text_list import read_list_file
from autohier.errors import InputError

NUM_ELEMENTS: Final = 99
_FILE_NAME: Final = "gym99_hierarchy.csv"
_COLUMNS: Final = ["element", "set", "event"]


def read_gym99_levels(path: Path | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the set and the event of every element of Gym99, numbered in the order of their first elements.

    Args:
        path: a table with the columns element, set and event; or a folder, which is searched for a
            ``gym99_hierarchy.csv``. If it is None or a folder without one, autohier's own table is read.

    Raises:
        InputError: if the table does not list 99 elements once each, or puts a set into two events.
        MissingDataError: if a folder cannot be listed.
    """
    table = read_gym99_table(path)
    return _number([name for name, _ in table]), _number([event for _, event in table])


def read_gym99_table(path: Path | None) -> list[tuple[str, str]]:
    """Return the names of the set and of the event of every element; see `read_gym99_levels`."""
    if path is not None and path.is_dir():
        path = next((found for _, found in find_named(path, re.compile(re.escape(_FILE_NAME)))), None)
    path = path or Path(__file__).with_name("hierarchy.csv")
    rows = _read_rows(path)
    header = rows[0] if rows else []
    if header != _COLUMNS:
        raise InputError(
            f"the columns of {path} must be element, set and event", got=", ".join(header)[:80] or "none"
        )
    table: dict[int, tuple[str, str]] = {}
    for row in rows[1:]:
        element = _read_element(row, path)
        if element in table:
            raise InputError(f"{path} must list every element once", got=f"element {element} twice")
        table[element] = row[1], row[2]
    if len(table) != NUM_ELEMENTS:
        raise InputError(f"{path} must list {NUM_ELEMENTS} elements", got=len(table))
    _check_nesting(table.values(), path)
    return [table[element] for element in range(NUM_ELEMENTS)]


def _read_rows(path: Path) -> list[list[str]]:
    try:
        rows = list(csv.reader(line for line in read_list_file(path) if line))
    except csv.Error as error:
        raise InputError(f"{path} must be a table of comma-separated values", got=error) from error
    return [[cell.strip() for cell in row] for row in rows]


def _read_element(row: Sequence[str], path: Path) -> int:
    if len(row) != len(_COLUMNS) or not all(row):
        raise InputError(
            f"a row of {path} must consist of an element, a set and an event", got=",".join(row)[:80]
        )
    # The pattern excludes signs, blanks and digits of other scripts, which int accepts.
    if not re.fullmatch("[0-9]{1,2}", row[0]) or int(row[0]) >= NUM_ELEMENTS:
        raise InputError(
            f"an element of {path} must be one of 0 to {NUM_ELEMENTS - 1}", got=repr(row[0][:20])
        )
    return int(row[0])


def _check_nesting(rows: Iterable[tuple[str, str]], path: Path) -> None:
    event_of: dict[str, str] = {}
    for name, event in rows:
        if event_of.setdefault(name, event) != event:
            raise InputError(
                f"a set of {path} must belong to one event", got=f"{name} in {event_of[name]} and {event}"
            )


def _number(names: Sequence[str]) -> tuple[int, ...]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return tuple(numbers[name] for name in names)
