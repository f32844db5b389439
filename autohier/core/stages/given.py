"""Superclasses that come with the data, where a space or a setting wants them: whether any can be drawn."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autohier.data.levels import GivenLevel, assignments_by_count
from autohier.errors import InputError
from autohier.settings.space import Setting, Space


def require_drawable(space: Space, levels: Sequence[GivenLevel]) -> None:
    """Refuse a space that wants the data's own superclasses and can never draw any of them.

    Some counts may be given and others derived: where none is, the whole search would be of derived ones.

    Raises:
        InputError: where no count that can be drawn is that of a level; the remedy draws them all.
    """
    if space.hierarchy == "derived" or drawn_levels(levels, space.allowed_counts):
        return
    usable = _usable(levels, space.num_classes)
    changes = [f"search.counts={_list(usable)}"]
    if len(usable) < space.search.levels:
        changes.append(f"search.levels={len(usable)}")
    if any(
        not set(known.superclasses) <= set(usable) or len(usable) < space.search.levels
        for known in space.known
    ):
        changes.append("known=[]")
    raise _refusal(levels, _list(space.allowed_counts), changes if usable else [])


def require_drawn(setting: Setting, levels: Sequence[GivenLevel]) -> None:
    """The same for a single run, whose counts are drawn already.

    Raises:
        InputError: where none of its counts is that of a level.
    """
    counts = setting.choice.superclasses
    if setting.hierarchy == "derived" or not counts or drawn_levels(levels, counts):
        return
    usable = _usable(levels, setting.num_classes)
    change = [f"superclasses={'/'.join(map(str, usable))}"] if usable else []
    raise _refusal(levels, setting.choice.counts_text, change)


def drawn_levels(levels: Sequence[GivenLevel], counts: Collection[int]) -> list[GivenLevel]:
    """The levels that stand in where one of these counts is drawn."""
    by_count = assignments_by_count(levels)
    return [
        level
        for level in levels
        if level.num_superclasses in counts and by_count[level.num_superclasses] is level.assignment
    ]


def _usable(levels: Sequence[GivenLevel], num_classes: int) -> list[int]:
    return sorted(count for count in assignments_by_count(levels) if 2 <= count < num_classes)


def _refusal(levels: Sequence[GivenLevel], counts: str, changes: Sequence[str]) -> InputError:
    given = ", ".join(f"{level.num_superclasses} of {level.name}" for level in levels)
    return InputError(
        f"a count must be that of superclasses that come with the data, {given}, for hierarchy = 'given'",
        got=f"none among {counts}",
        remedy=" ".join(f"--set {change}" for change in changes or ["hierarchy=derived"]),
    )


def _list(counts: Collection[int]) -> str:
    return f"[{','.join(map(str, counts))}]"
