import json

import numpy as np
import pytest
from numpy.typing import NDArray

from autohier.core.hierarchy import Hierarchy, balanced_partition
from autohier.core.hierarchy.descent import Assignment
from autohier.errors import InputError


def test_levels_are_solved_independently_and_the_classes_come_last() -> None:
    confusion = np.random.default_rng(0).poisson(1.0, (12, 12))
    hierarchy = Hierarchy.from_confusion(confusion, (2, 3), restarts=5, seed=7)
    assert hierarchy.num_classes == 12
    assert hierarchy.num_superclasses == (2, 3, 12)
    for level, count in enumerate((2, 3)):
        alone = balanced_partition(confusion, count, restarts=5, seed=7)
        assert hierarchy.assignments[level] == tuple(alone)
    assert hierarchy.assignments[2] == tuple(range(12))


def test_given_superclasses_replace_derived_ones_of_the_same_count() -> None:
    confusion = np.random.default_rng(0).poisson(1.0, (6, 6))
    unequal = (0, 0, 0, 0, 1, 0)
    hierarchy = Hierarchy.from_confusion(
        confusion, (2, 3), given={2: unequal, 4: (0, 1, 2, 3, 3, 3)}, restarts=5
    )
    derived = Hierarchy.from_confusion(confusion, (2, 3), restarts=5)
    assert hierarchy.assignments == (unequal, *derived.assignments[1:])
    assert derived.assignments[0] != unequal


def test_an_equal_level_is_solved_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = []

    def partition(confusion_KK: NDArray[np.float64], count: int, **options: int) -> Assignment:
        solved.append((count, options["seed"], confusion_KK.tolist()))
        return balanced_partition(confusion_KK, count, **options)

    monkeypatch.setattr("autohier.core.hierarchy.hierarchy.balanced_partition", partition)
    one, other = np.eye(6, dtype=np.int64) + 1, np.eye(6, dtype=np.int64) + 2
    first = Hierarchy.from_confusion(one, (2, 3), restarts=1, seed=1111)
    assert Hierarchy.from_confusion(one.tolist(), (2, 3), restarts=1, seed=1111) == first
    Hierarchy.from_confusion(one, (2,), restarts=1, seed=1112)
    Hierarchy.from_confusion(other, (2,), restarts=1, seed=1111)
    assert solved == [
        (2, 1111, one.tolist()),
        (3, 1111, one.tolist()),
        (2, 1112, one.tolist()),
        (2, 1111, other.tolist()),
    ]


def test_without_counts_the_hierarchy_is_flat() -> None:
    assert Hierarchy.from_confusion(np.ones((4, 4)), ()) == Hierarchy.flat(4)
    assert Hierarchy.flat(4).assignments == ((0, 1, 2, 3),)
    assert Hierarchy.flat(4).num_superclasses == (4,)


def test_superclasses_may_differ_in_size() -> None:
    assert Hierarchy(((0, 0, 0, 1), (0, 1, 2, 3))).num_superclasses == (2, 4)


def test_a_hierarchy_survives_json() -> None:
    hierarchy = Hierarchy.from_confusion(np.random.default_rng(0).poisson(1.0, (9, 9)), (2, 4), restarts=2)
    assert Hierarchy.from_lists(json.loads(json.dumps(hierarchy.as_lists()))) == hierarchy


@pytest.mark.parametrize(
    ("assignments", "fault"),
    [
        ((), "last level of a hierarchy must hold each class alone"),
        (((0, 1, 2), (0, 0, 1)), "last level of a hierarchy must hold each class alone"),
        (((1, 0),), r"numbered 0, 1, .* but got \[1, 0\] at level 0"),
        (((),), "at least one class"),
        (((0, 0), (0, 1, 2)), "must assign all 3 classes, but got 2 at level 0"),
        (((1, 0, 1), (0, 1, 2)), r"numbered 0, 1, .* but got \[1, 0, 1\] at level 0"),
        (((0, 2, 2), (0, 1, 2)), r"numbered 0, 1, .* but got \[0, 2, 2\] at level 0"),
        (((-1, 0, 0), (0, 1, 2)), r"numbered 0, 1, .* but got \[-1, 0, 0\] at level 0"),
    ],
)
def test_invalid_assignments_are_refused(assignments: tuple[tuple[int, ...], ...], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        Hierarchy(assignments)


def test_a_bad_matrix_is_refused_even_without_counts() -> None:
    with pytest.raises(InputError, match="must be square"):
        Hierarchy.from_confusion([[1, 2]], ())


def test_a_level_alone_ends_in_its_superclasses() -> None:
    whole = Hierarchy(((0, 0, 1, 1), (0, 1, 1, 2), (0, 1, 2, 3)))
    assert whole.level(0) == Hierarchy(((0, 0, 1, 1),))
    assert [whole.level(index).num_targets for index in range(3)] == [2, 3, 4]
    assert [whole.level(index).num_classes for index in range(3)] == [4, 4, 4]
    assert whole.level(-1) == Hierarchy.flat(4)
    assert whole.num_targets == 4
