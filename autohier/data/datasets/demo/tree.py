"""The demo's twelve classes and the similarity tree planted in their motions.

A hierarchy search should recover this tree from confusions:

- one person, arms: one arm (wave, draw a circle, knock), two arms (clap, raise, circle);
- legs or two persons: one person's legs (kick, side kick, march), an attack on another person (push, punch,
kick).

Consecutive labels are in different groups, so that equal runs of labels do not match the tree.
"""

from __future__ import annotations

CLASS_NAMES: tuple[str, ...] = (
    "wave",
    "clap",
    "kick forward",
    "push other person",
    "draw circle",
    "raise both arms",
    "kick sideways",
    "punch other person",
    "knock",
    "circle both arms",
    "march",
    "kick other person",
)
"""Names by label; ``CLASS_NAMES[0]`` is A001."""

PLANTED_LEVELS: dict[int, tuple[int, ...]] = {
    2: (0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1),
    4: (0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
}
"""Superclass of each class by the number of superclasses, numbered by first appearance."""

TWO_PERSON_CLASSES: frozenset[int] = frozenset({3, 7, 11})
"""Classes with two persons."""


def siblings(label: int, num_superclasses: int) -> tuple[int, ...]:
    """Return the other classes of a class's superclass at one planted level, in label order.

    Raises:
        KeyError: if no level with this number of superclasses is planted.
    """
    assignment = PLANTED_LEVELS[num_superclasses]
    return tuple(
        other for other, group in enumerate(assignment) if group == assignment[label] and other != label
    )
