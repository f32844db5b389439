"""Superclasses that come with a dataset."""

from __future__ import annotations

from collections import Counter

import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.levels import GivenLevel, assignments_by_count


def test_groups_are_numbered_by_their_first_class() -> None:
    level = GivenLevel.of_groups("event", ["beam", "floor", "beam", "vault"])
    assert level == GivenLevel("event", (0, 1, 0, 2))
    assert level.num_superclasses == 3


@pytest.mark.parametrize(
    ("dataset", "sizes"), [("ntu60", {0: 40, 1: 9, 2: 11}), ("ntu120", {0: 82, 1: 12, 2: 26})]
)
def test_ntu_brings_daily_medical_and_mutual_actions(dataset: str, sizes: dict[int, int]) -> None:
    (level,) = open_dataset(dataset).levels
    assert Counter(level.assignment) == sizes
    assert level.assignment[:40] == (0,) * 40  # the first forty are daily
    assert level.assignment[40:60] == (1,) * 9 + (2,) * 11


def test_the_demo_brings_what_its_motions_are_planted_with() -> None:
    limbs, motions = open_dataset("demo").levels
    assert limbs == GivenLevel("limbs", (0, 0, 1, 1) * 3)
    assert motions == GivenLevel("motion", (0, 1, 2, 3) * 3)


def test_of_two_levels_with_as_many_superclasses_the_first_counts() -> None:
    levels = [GivenLevel("a", (0, 1, 1)), GivenLevel("b", (0, 0, 1)), GivenLevel("c", (0, 1, 2))]
    assert assignments_by_count(levels) == {2: (0, 1, 1), 3: (0, 1, 2)}
