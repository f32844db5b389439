"""The planted tree: balanced levels, of which the finer refines the coarser."""

from __future__ import annotations

from collections import Counter

import pytest

from autohier.data.datasets.demo.tree import CLASS_NAMES, PLANTED_LEVELS, TWO_PERSON_CLASSES, siblings


def test_twelve_distinct_names() -> None:
    assert len(CLASS_NAMES) == 12
    assert len(set(CLASS_NAMES)) == 12


@pytest.mark.parametrize("num_superclasses", sorted(PLANTED_LEVELS))
def test_levels_are_balanced_and_numbered_by_first_appearance(num_superclasses: int) -> None:
    level = PLANTED_LEVELS[num_superclasses]
    assert len(level) == 12
    assert set(Counter(level).values()) == {12 // num_superclasses}
    assert list(dict.fromkeys(level)) == list(range(num_superclasses))


def test_the_finer_level_refines_the_coarser() -> None:
    assert len(set(zip(PLANTED_LEVELS[4], PLANTED_LEVELS[2], strict=True))) == 4


def test_equal_runs_of_labels_are_not_the_planted_groups() -> None:
    assert PLANTED_LEVELS[4] != tuple(label // 3 for label in range(12))


def test_two_person_classes_are_one_group_and_have_it_in_their_names() -> None:
    assert len({PLANTED_LEVELS[4][label] for label in TWO_PERSON_CLASSES}) == 1
    assert {label for label, name in enumerate(CLASS_NAMES) if "other person" in name} == TWO_PERSON_CLASSES


def test_siblings_are_the_other_classes_of_the_group() -> None:
    # wave (0) is grouped with draw circle (4) and knock (8).
    assert siblings(0, 4) == (4, 8)
    assert siblings(4, 4) == (0, 8)
    assert siblings(0, 2) == (1, 4, 5, 8, 9)
