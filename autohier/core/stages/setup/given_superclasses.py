"""Given superclasses: checks that a search space or a config can use the dataset's own superclasses."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.trial_config import TrialConfig
from autohier.data.superclasses import GivenSuperclasses, assignments_by_count
from autohier.errors import InputError


def require_samplable_level(space: SearchSpace, levels: Sequence[GivenSuperclasses]) -> None:
    """Check that a search space with ``hierarchy = "given"`` can sample at least one given level.

    Counts without a given level get derived superclasses. If no count has a given level, the search would use
    derived superclasses only.

    Raises:
        InputError: if no allowed count is the number of superclasses of a level; the hint allows all of them.
    """
    if space.hierarchy == "derived" or sampled_levels(levels, space.allowed_counts):
        return
    usable = _usable(levels, space.num_classes)
    changes = [f"search.counts={_list(usable)}"]
    if len(usable) < space.search.levels:
        changes.append(f"search.levels={len(usable)}")
    if any(
        not set(initial.superclasses) <= set(usable) or len(usable) < space.search.levels
        for initial in space.initial
    ):
        changes.append("initial=[]")
    raise _refusal(levels, _list(space.allowed_counts), changes if usable else [])


def require_given_level(config: TrialConfig, levels: Sequence[GivenSuperclasses]) -> None:
    """Check that a config with ``hierarchy = "given"`` has a count of a given level.

    Raises:
        InputError: if none of its counts is the number of superclasses of a level.
    """
    counts = config.params.superclasses
    if config.hierarchy == "derived" or not counts or sampled_levels(levels, counts):
        return
    usable = _usable(levels, config.num_classes)
    change = [f"superclasses={'/'.join(map(str, usable))}"] if usable else []
    raise _refusal(levels, config.params.counts_text, change)


def sampled_levels(levels: Sequence[GivenSuperclasses], counts: Collection[int]) -> list[GivenSuperclasses]:
    """Return the levels that are used if these counts are sampled."""
    by_count = assignments_by_count(levels)
    return [
        level
        for level in levels
        if level.num_superclasses in counts and by_count[level.num_superclasses] is level.assignment
    ]


def _usable(levels: Sequence[GivenSuperclasses], num_classes: int) -> list[int]:
    return sorted(count for count in assignments_by_count(levels) if 2 <= count < num_classes)


def _refusal(levels: Sequence[GivenSuperclasses], counts: str, changes: Sequence[str]) -> InputError:
    given = ", ".join(f"{level.num_superclasses} of {level.name}" for level in levels)
    return InputError(
        f"hierarchy = 'given' needs a count of the dataset's own superclasses ({given})",
        got=f"none among {counts}",
        hint=" ".join(f"--set {change}" for change in changes or ["hierarchy=derived"]),
    )


def _list(counts: Collection[int]) -> str:
    return f"[{','.join(map(str, counts))}]"
