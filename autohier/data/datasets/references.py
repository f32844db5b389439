"""Superclasses that are known beforehand: a yardstick for those that a sweep finds."""

from __future__ import annotations

from collections.abc import Mapping

from autohier.data.datasets.demo.tree import CLASS_NAMES, PLANTED_LEVELS
from autohier.data.store.paths import plain_name


def reference_levels(dataset: str, num_classes: int) -> Mapping[int, tuple[int, ...]]:
    """Known assignments of a dataset's classes, by their number of superclasses; empty where none are."""
    is_demo = plain_name(dataset) == "demo" and num_classes == len(CLASS_NAMES)
    return PLANTED_LEVELS if is_demo else {}
