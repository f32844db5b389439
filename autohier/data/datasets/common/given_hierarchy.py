"""Superclasses that a user gives for a dataset: a table ``hierarchy.csv`` with the classes of its source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from autohier.data.datasets.base import DatasetReader
from autohier.data.datasets.common.user_table import read_user_table, separator_hint, table_of
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import InputError, nearest
from autohier.text import plural

HIERARCHY: Final = "hierarchy.csv"
_CLASS: Final = "class"


def levels_of(reader: DatasetReader, source: Path) -> tuple[GivenSuperclasses, ...]:
    """Return the superclasses of a dataset, coarse to fine: the user's, or else the reader's own.

    The user's are in a ``hierarchy.csv`` in the source folder, or next to the source file. It has a column
    ``class`` and one column per level, named after the level, whose cells name superclasses. Superclasses
    may differ in size, and levels need not nest.

    Raises:
        InputError: if the table does not give every class one superclass at every level, or names another.
    """
    table = table_of(source, HIERARCHY)
    return _read_levels(table, reader.class_names) if table.is_file() else reader.levels


def _read_levels(path: Path, class_names: Sequence[str]) -> tuple[GivenSuperclasses, ...]:
    table = read_user_table(path)
    columns = table.columns
    if not columns or columns[0].lower() != _CLASS or len(columns) < 2 or not all(columns):
        raise InputError(
            f"{path} must have the columns class, then one per level of superclasses",
            got=", ".join(columns) or "none",
            hint=separator_hint(columns) or "e.g. class,area,kind; rename the file if it is something else",
        )
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"the columns of {path} must differ", got=f"{name} {columns.count(name)} times")
    groups: dict[str, Sequence[str]] = {}
    for number, row in table.rows:
        if len(row) != len(columns) or not all(row):
            raise InputError(
                f"line {number} of {path} must name a class and its superclass at each of "
                f"{plural(len(columns) - 1, 'level')}",
                got=",".join(row),
            )
        name = _find_class(row[0], class_names, f"line {number} of {path}")
        if name in groups:
            raise InputError(f"{path} must list every class once", got=f"{name} twice")
        groups[name] = row[1:]
    missing = [name for name in class_names if name not in groups]
    if missing:
        raise InputError(
            f"{path} must list all {plural(len(class_names), 'class', 'classes')}",
            got=f"{len(groups)}, without {missing[0]}",
            hint="add a line for each class",
        )
    levels = [
        _level(path, name, [groups[label][index] for label in class_names])
        for index, name in enumerate(columns[1:])
    ]
    return tuple(sorted(levels, key=lambda level: level.num_superclasses))


def _find_class(text: str, class_names: Sequence[str], place: str) -> str:
    """Return the class that a cell names. A class "class 7", of a pickle's label 7, may be written 7."""
    for name in (text, f"class {text}"):
        if name in class_names:
            return name
    raise InputError(
        f"{place} must name a class of the dataset", got=repr(text), hint=nearest(text, list(class_names))
    )


def _level(path: Path, name: str, groups: Sequence[str]) -> GivenSuperclasses:
    number = len(set(groups))
    if not 1 < number < len(groups):
        raise InputError(
            f"level {name!r} of {path} must have at least 2 superclasses, and fewer than the "
            f"{plural(len(groups), 'class', 'classes')}",
            got=number,
            hint="leave out the column",
        )
    return GivenSuperclasses.from_groups(name, groups)
