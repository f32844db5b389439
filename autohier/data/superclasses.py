"""Superclasses that come with a dataset: its authors' grouping of its classes.

Legend: K classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenSuperclasses:
    """One grouping of the classes that comes with a dataset; superclasses may differ in size.

    Attributes:
        name: e.g. ``event``.
        assignment: the superclass of each of the K classes; superclasses are numbered in the order of their
            smallest class.
    """

    name: str
    assignment: tuple[int, ...]

    @classmethod
    def from_groups(cls, name: str, groups: Sequence[Hashable]) -> GivenSuperclasses:
        """Create superclasses from the group of each class; groups may be any hashable values."""
        number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
        return cls(name, tuple(number[group] for group in groups))

    @property
    def num_superclasses(self) -> int:
        """Number of superclasses."""
        return max(self.assignment) + 1


def assignments_by_count(levels: Sequence[GivenSuperclasses]) -> dict[int, tuple[int, ...]]:
    """Return the assignments by number of superclasses; of two with equal numbers the first is used."""
    return {level.num_superclasses: level.assignment for level in reversed(levels)}
