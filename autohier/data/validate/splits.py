"""Check of split sizes, of subjects on both sides of a split, and of classes without training clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autohier.data.protocols import Protocol
from autohier.data.splits import check_split_sizes, listed_mask, split_masks
from autohier.data.store.table import ClipTable


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """Division of the found clips under one protocol.

    Attributes:
        protocol: name of the protocol.
        train: training clips, including those for validation.
        validation: clips of the source's own validation list that do not test; 0 without one.
        test: test clips.
        neither: clips in none of these parts.
        is_published: True if the sizes agree with published ones.
        column: label that should not occur on both sides, e.g. ``subject``.
        on_both_sides: values of ``column`` that both train and test; empty if the protocol divides by
            cameras or setups, which show the same subjects on purpose.
        untrained: labels of classes with test clips but no training clips; empty without training clips.
    """

    protocol: str
    train: int
    validation: int
    test: int
    neither: int
    is_published: bool
    column: str
    on_both_sides: tuple[int, ...]
    untrained: tuple[int, ...]


def check_split(table: ClipTable, rule: Protocol) -> SplitCheck:
    """Divide clips under one protocol and check the result."""
    is_train, is_test = split_masks(table, rule)
    is_listed = listed_mask(table, rule) if rule.validation else np.zeros(len(table), dtype=bool)
    values = getattr(table, rule.held_out_column)
    both = np.intersect1d(values[is_train], values[is_test]) if rule.column in {"subject", "parts"} else ()
    return SplitCheck(
        protocol=rule.name,
        train=int(is_train.sum()),
        validation=int((is_listed & ~is_test).sum()),
        test=int(is_test.sum()),
        neither=int((~(is_train | is_test | is_listed)).sum()),
        is_published=is_published(table, rule),
        column=rule.held_out_column,
        on_both_sides=tuple(int(value) for value in both),
        untrained=tuple(np.setdiff1d(table.label[is_test], table.label[is_train]).tolist())
        if is_train.any()
        else (),
    )


def find_protocols_across(
    table: ClipTable, rules: Sequence[Protocol], groups: Sequence[Sequence[str]]
) -> list[tuple[str, ...]]:
    """Return, for each group of clips, the protocols under which some of the group train and others test."""
    rows = {clip_id: row for row, clip_id in enumerate(table.clip_id)} if groups else {}
    sides = {rule.name: split_masks(table, rule) for rule in rules} if groups else {}
    found = []
    for group in groups:
        own = [rows[clip_id] for clip_id in group]
        found.append(tuple(name for name, both in sides.items() if all(side[own].any() for side in both)))
    return found


def is_published(table: ClipTable, rule: Protocol) -> bool:
    """Return True if the split sizes agree with published ones; False if none are published."""
    return bool(rule.published) and not check_split_sizes(table, "", (rule,))
