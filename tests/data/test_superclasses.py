"""Superclasses that come with a dataset."""

from __future__ import annotations

from collections import Counter

import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.superclasses import GivenSuperclasses, assignments_by_count


def test_groups_are_numbered_by_their_first_class() -> None:
    level = GivenSuperclasses.from_groups("event", ["beam", "floor", "beam", "vault"])
    assert level == GivenSuperclasses("event", (0, 1, 0, 2))
    assert level.num_superclasses == 3


@pytest.mark.parametrize(
    ("dataset", "sizes"), [("ntu60", {0: 40, 1: 9, 2: 11}), ("ntu120", {0: 82, 1: 12, 2: 26})]
)
def test_ntu_has_daily_medical_and_mutual_actions(dataset: str, sizes: dict[int, int]) -> None:
    (level,) = open_dataset(dataset).levels
    assert Counter(level.assignment) == sizes
    assert level.assignment[:40] == (0,) * 40  # the first forty are daily
    assert level.assignment[40:60] == (1,) * 9 + (2,) * 11


def test_the_demo_has_limbs_and_motions() -> None:
    limbs, motions = open_dataset("demo").levels
    assert limbs == GivenSuperclasses("limbs", (0, 0, 1, 1) * 3)
    assert motions == GivenSuperclasses("motion", (0, 1, 2, 3) * 3)


def test_of_two_groupings_of_equal_number_the_first_is_used() -> None:
    levels = [
        GivenSuperclasses("a", (0, 1, 1)),
        GivenSuperclasses("b", (0, 0, 1)),
        GivenSuperclasses("c", (0, 1, 2)),
    ]
    assert assignments_by_count(levels) == {2: (0, 1, 1), 3: (0, 1, 2)}
