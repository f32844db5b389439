"""Duplicate files and duplicate skeletons as one list of findings."""

from __future__ import annotations

from pathlib import Path

from autohier.data.validate.duplicate_files import Duplicates, SameContent, join_duplicates


def _found(*groups: str) -> Duplicates:
    """Return findings, one per text, whose letters are the clips."""
    return Duplicates(tuple(SameContent(tuple(group), tuple(map(Path, group))) for group in groups), 0, 0)


def test_equal_files_are_reported_once_if_their_skeletons_are_too() -> None:
    # a and b are one group of skeletons. f and g are of two groups, h is of none.
    joined = join_duplicates(_found("ab", "fg", "fh", "xy"), _found("abc", "df", "eg"))
    assert ["".join(same.clip_ids) for same in joined.found] == ["fg", "fh", "xy", "abc", "df", "eg"]
