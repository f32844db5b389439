"""Gym99's hierarchy: autohier's own table, tables in a source, and errors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from autohier.data.datasets.gym99.hierarchy import read_gym99_levels
from autohier.data.datasets.registry import open_dataset
from autohier.errors import InputError
from support.sources.tiny_finegym import write_gym99_lists

CLIP_ID = "0LtLS9wROrk_E_000002_000006_A_0003_0004"


def test_the_hierarchy_has_fifteen_sets_in_four_events(tmp_path: Path) -> None:
    sets, events = read_gym99_levels(None)
    assert (len(sets), len(events)) == (99, 99)
    # Vault 6, floor 35, beam 33, bars 25.
    assert list(Counter(events).values()) == [6, 35, 33, 25]
    assert list(Counter(sets).values()) == [6, 11, 7, 1, 6, 10, 12, 4, 8, 4, 5, 15, 5, 2, 3]
    assert sets == tuple(sorted(sets))
    assert events == tuple(sorted(events))
    assert read_gym99_levels(tmp_path) == (sets, events)


def table_text(rows: list[str] | None = None) -> str:
    rows = rows or [f"{element},set {element // 10},event {element // 50}" for element in range(99)]
    return "element,set,event\n" + "\n".join(rows) + "\n"


def test_a_table_in_the_source_replaces_the_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "gym99_hierarchy.csv"
    path.write_text(table_text())
    sets, events = read_gym99_levels(tmp_path)
    assert sets == tuple(element // 10 for element in range(99))
    assert events == tuple(element // 50 for element in range(99))
    assert read_gym99_levels(path) == (sets, events)
    write_gym99_lists(tmp_path, {CLIP_ID: 3}, {})
    assert open_dataset("gym99", source=tmp_path).class_names[50] == "event 1 50"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "element,set,event",
            "element,event,set",
            "columns of .* must be element, set and event, but got element, event",
        ),
        ("\n7,set 0,event 0", "", "must list 99 elements, but got 98"),
        ("\n7,", "\n8,", "must list every element once, but got element 8 twice"),
        ("\n7,", "\n99,", "element of .* must be one of 0 to 98, but got '99'"),
        ("\n7,", "\n-7,", "element of .* must be one of 0 to 98, but got '-7'"),
        ("\n7,", "\nseven,", "element of .* must be one of 0 to 98, but got 'seven'"),
        (
            "\n7,set 0,event 0",
            "\n7,set 0",
            "row of .* must consist of an element, a set and an event, but got 7,set 0",
        ),
        (
            "\n7,set 0,event 0",
            "\n7,,event 0",
            "row of .* must consist of an element, a set and an event, but got 7,,event",
        ),
        (
            "\n7,set 0,event 0",
            "\n7,set 0,event 1",
            "set of .* must belong to one event, but got set 0 in event 0 and event 1",
        ),
    ],
)
def test_bad_hierarchies_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(table_text().replace(old, new, 1))
    with pytest.raises(InputError, match=reason):
        read_gym99_levels(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "columns of .* must be element, set and event, but got none"),
        (b"\xff\xff", "must be UTF-8 text"),
        (b"element,set,event\n1,a\0b,c", "must be a table|must list 99 elements|must consist of an element"),
        (b'"' + b"x" * 200_000, "must be a table of comma-separated values"),
    ],
)
def test_hierarchies_that_are_not_tables_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_gym99_levels(path)


def test_a_missing_hierarchy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv must be readable"):
        read_gym99_levels(tmp_path / "none.csv")
