"""Superclasses that a user gives in a table with the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from autohier.data.datasets.common.given_hierarchy import HIERARCHY, levels_of
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import InputError

OWN = (GivenSuperclasses("own", (0, 0, 1, 1, 1)),)
CLASSES = ("fall", "jump", "run", "walk", "wave")


@dataclass
class Reader:
    class_names: tuple[str, ...] = CLASSES
    levels: tuple[GivenSuperclasses, ...] = OWN


def levels(folder: Path, text: str, classes: tuple[str, ...] = CLASSES) -> tuple[GivenSuperclasses, ...]:
    (folder / HIERARCHY).write_text(text, encoding="utf-8")
    return levels_of(Reader(classes), folder)  # type: ignore[arg-type]


def test_without_a_table_the_dataset_keeps_its_own(tmp_path: Path) -> None:
    assert levels_of(Reader(), tmp_path) == OWN  # type: ignore[arg-type]


def test_levels_are_sorted_coarse_to_fine_and_may_be_unequal(tmp_path: Path) -> None:
    moving = "walk,gait,moving\nrun,gait,moving\nfall,fall,moving\njump,jump,moving\n"
    text = f"class,kind,area\nwave,arms,still\n{moving}"
    # Numbered by their smallest class: fall moves, so moving is 0; kinds are fall, jump, gait, arms.
    assert levels(tmp_path, text) == (
        GivenSuperclasses("area", (0, 0, 0, 0, 1)),
        GivenSuperclasses("kind", (0, 1, 2, 2, 3)),
    )


def test_the_table_of_a_pickle_lies_next_to_it_and_may_name_labels(tmp_path: Path) -> None:
    (tmp_path / HIERARCHY).write_text("Class,area\n1,a\n4,b\nclass 7,b\n")
    (tmp_path / "poses.pkl").write_bytes(b"")
    reader = Reader(("class 1", "class 4", "class 7"))
    found = levels_of(reader, tmp_path / "poses.pkl")  # type: ignore[arg-type]
    assert found == (GivenSuperclasses("area", (0, 1, 1)),)


def test_names_are_compared_with_composed_letters(tmp_path: Path) -> None:
    found = levels(tmp_path, "class,area\ncafe\u0301,a\nb,c\nd,c\n", ("b", "caf\u00e9", "d"))
    assert found[0].assignment == (0, 1, 0)


ALL = "fall,a\njump,a\nrun,b\nwalk,b\nwave,b\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must have the columns class, then one per level .*, but got none: e\.g\. class,area,kind"),
        ("class;area\nfall;a\n", "must have the columns class, .*: save the table with commas"),
        ("class\nfall\n", "must have the columns class, then one per level of superclasses, but got class:"),
        (f"class,area,area\n{ALL}", "the columns of .* must differ, but got area 2 times"),
        (f"class,area\n{ALL}fall,b\n", r"hierarchy\.csv must list every class once, but got fall twice"),
        ("class,area\nfall,a\nwawe,b\n", "line 3 of .* must name a class of the dataset, .*'wawe'.*'wave'"),
        (
            "class,area\nfall,a\njump,\n",
            "line 3 of .* a class and its superclass at each of 1 level",
        ),
        ("class,area\nfall,a\njump,a,b\n", "line 3 of .* must name a class and its superclass"),
        ("class,area\nfall,a\njump,b\n", "must list all 5 classes, but got 2, without run: add a line"),
        (
            f"class,area\n{ALL.replace('b', 'a')}",
            "'area' of .* 2 superclasses, .* 5 classes, but got 1",
        ),
        (
            "class,area\nfall,a\njump,b\nrun,c\nwalk,d\nwave,e\n",
            "than the 5 classes, but got 5: leave",
        ),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        levels(tmp_path, text)
