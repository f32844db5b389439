"""Levels that a dataset brings along: its authors' own grouping of its classes.

Legend: K classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenLevel:
    """Superclasses that come with the data, in any sizes.

    Attributes:
        name: e.g. ``event``.
        assignment: the superclass of each of the K classes, numbered by their smallest class.
    """

    name: str
    assignment: tuple[int, ...]

    @classmethod
    def of_groups(cls, name: str, groups: Sequence[Hashable]) -> GivenLevel:
        """A level from the group of each class, whatever groups are called."""
        number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
        return cls(name, tuple(number[group] for group in groups))

    @property
    def num_superclasses(self) -> int:
        """How many superclasses it has."""
        return max(self.assignment) + 1


def assignments_by_count(levels: Sequence[GivenLevel]) -> dict[int, tuple[int, ...]]:
    """The superclass of each class, by the number of superclasses; of two levels with as many the first."""
    return {level.num_superclasses: level.assignment for level in reversed(levels)}
