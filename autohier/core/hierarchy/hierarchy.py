"""Hierarchy: the superclass of every class, for each head.

Legend: K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from autohier.core.hierarchy.class_graph import class_graph
from autohier.core.hierarchy.partition import balanced_partition
from autohier.errors import InputError

NOTHING_GIVEN: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One assignment of all classes per head, front to back; the last is the classes themselves.

    A hierarchy of a single level may end in superclasses instead: a network that is trained for this level
    has one head, which scores its superclasses.

    Levels need not nest: a superclass may spread over several superclasses of an earlier level, since HAC
    solves each level on its own. Superclasses of a level are numbered by their smallest class, so that equal
    hierarchies compare equal. Their sizes may differ.

    Raises:
        InputError: if an assignment breaks one of these rules.
    """

    assignments: tuple[tuple[int, ...], ...]
    """Superclass of each class, per head."""

    def __post_init__(self) -> None:
        if not self.assignments or (
            len(self.assignments) > 1 and self.assignments[-1] != tuple(range(self.num_classes))
        ):
            raise InputError("the last level of a hierarchy must hold each class alone, in order")
        if not self.num_classes:
            raise InputError("a hierarchy must have at least one class")
        for level, assignment in enumerate(self.assignments):
            if len(assignment) != self.num_classes:
                raise InputError(
                    f"every level must assign all {self.num_classes} classes",
                    got=f"{len(assignment)} at level {level}",
                )
            if tuple(dict.fromkeys(assignment)) != tuple(range(len(set(assignment)))):
                raise InputError(
                    "superclasses must be numbered 0, 1, ... by their smallest class",
                    got=f"{list(assignment)} at level {level}",
                )

    @classmethod
    def flat(cls, num_classes: int) -> Hierarchy:
        """Return a hierarchy without superclasses: the classes at the last stack only."""
        return cls((tuple(range(num_classes)),))

    def level(self, index: int) -> Hierarchy:
        """Return the hierarchy of one level alone, for a network that is trained for it."""
        return Hierarchy((self.assignments[index],))

    @classmethod
    def from_confusion(
        cls,
        confusion_KK: ArrayLike,
        counts: Sequence[int],
        *,
        given: Mapping[int, tuple[int, ...]] = NOTHING_GIVEN,
        restarts: int = 1000,
        seed: int = 0,
    ) -> Hierarchy:
        """Derive balanced superclasses from a confusion matrix, each level on its own (HAC 3.3, eq. 2).

        Args:
            confusion_KK: ``[K, K]`` counts or probabilities of *validation* clips, rows the true class. The
                confusion on training clips of an over-fitted network is nearly diagonal.
            counts: superclasses of each head before the last, which keeps the K classes.
            given: assignments by their number of superclasses, used for counts that they cover.
            restarts: see `balanced_partition`.
            seed: see `balanced_partition`.

        Raises:
            InputError: see `balanced_partition`.
        """
        num_classes = len(class_graph(confusion_KK))
        confusion = np.asarray(confusion_KK, dtype=np.float64).tobytes()
        levels = [
            given[count] if count in given else _level(confusion, num_classes, count, restarts, seed)
            for count in counts
        ]
        return cls((*levels, tuple(range(num_classes))))

    @classmethod
    def from_lists(cls, assignments: Sequence[Sequence[int]]) -> Hierarchy:
        """Return the hierarchy that `as_lists` wrote.

        Raises:
            InputError: if the lists are not a hierarchy.
        """
        return cls(tuple(tuple(assignment) for assignment in assignments))

    def as_lists(self) -> list[list[int]]:
        """Return the assignments as lists, for JSON."""
        return [list(assignment) for assignment in self.assignments]

    @property
    def num_classes(self) -> int:
        """Number of classes, K, which every level assigns."""
        return len(self.assignments[-1])

    @property
    def num_targets(self) -> int:
        """Number of outputs of the last head: K, or the superclasses of the level that ends the hierarchy."""
        return self.num_superclasses[-1]

    @property
    def num_superclasses(self) -> tuple[int, ...]:
        """Superclasses per head, e.g. (2, 6, 20, 60); the last is K."""
        return tuple(len(set(assignment)) for assignment in self.assignments)


@lru_cache(maxsize=256)
def _level(confusion: bytes, num_classes: int, count: int, restarts: int, seed: int) -> tuple[int, ...]:
    """Return the assignment of one level. Cached: it may take seconds, and trials of a sweep share it."""
    confusion_KK = np.frombuffer(confusion).reshape(num_classes, num_classes)
    return tuple(balanced_partition(confusion_KK, count, restarts=restarts, seed=seed).tolist())
