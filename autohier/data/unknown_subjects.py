"""Subjects that are mostly unknown: most clips have one of their own, as if nothing names who is in them."""

from __future__ import annotations

from collections.abc import Collection


def are_mostly_unknown(subjects: Collection[int]) -> bool:
    """Return True if several clips have fewer than two clips per subject on average.

    Splits are then stratified by class, with the clips of one subject on one side.

    Args:
        subjects: the subject of every clip.
    """
    return len(subjects) > 1 and 2 * len(set(subjects)) > len(subjects)
