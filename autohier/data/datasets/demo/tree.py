"""The demo's twelve classes and the similarity tree planted in their motions.

The tree is what a hierarchy search should find again from confusions alone:

- one person, arms: one arm (wave, draw a circle, knock), two arms (clap, raise, circle);
- legs in play: one person's legs (kick, side kick, march), an attack on another person (push, punch, kick).

Neighbouring labels lie in different groups, so that cutting the label order into equal runs finds nothing.
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
"""Names in label order: ``CLASS_NAMES[0]`` is A001."""

PLANTED_LEVELS: dict[int, tuple[int, ...]] = {
    2: (0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1),
    4: (0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
}
"""Number of superclasses -> the superclass of each class, numbered by first appearance."""

TWO_PERSON_CLASSES: frozenset[int] = frozenset({3, 7, 11})
"""Classes that show a second person."""


def siblings(label: int, num_superclasses: int) -> tuple[int, ...]:
    """The other classes in a class's superclass at one planted level, in label order.

    Raises:
        KeyError: where no level with that number of superclasses is planted.
    """
    assignment = PLANTED_LEVELS[num_superclasses]
    return tuple(
        other for other, group in enumerate(assignment) if group == assignment[label] and other != label
    )
