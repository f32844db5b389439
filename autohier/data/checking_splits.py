"""How the clips of a source are divided: as published or not, and who is on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autohier.data.protocols import Protocol
from autohier.data.splits import check_split_sizes, divide_clips
from autohier.data.store.reader import ClipTable


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """How the clips that were found are divided under one protocol.

    Attributes:
        protocol: its name.
        train: training clips, those that will validate included.
        test: test clips.
        neither: clips that do neither.
        is_published: whether that is how many a published copy has.
        column: what must not be on both sides, e.g. ``subject``.
        on_both_sides: its values that train and test all the same; none where the protocol divides by
            cameras or setups, which show the same subjects on purpose.
        untrained: labels of classes that test and never train; none where nothing trains at all.
    """

    protocol: str
    train: int
    test: int
    neither: int
    is_published: bool
    column: str
    on_both_sides: tuple[int, ...]
    untrained: tuple[int, ...]


def check_split(table: ClipTable, rule: Protocol) -> SplitCheck:
    """How some clips are divided under one protocol, and whether that is as it should be."""
    is_train, is_test = divide_clips(table, rule)
    values = getattr(table, rule.held_out_column)
    both = np.intersect1d(values[is_train], values[is_test]) if rule.column in {"subject", "parts"} else ()
    return SplitCheck(
        protocol=rule.name,
        train=int(is_train.sum()),
        test=int(is_test.sum()),
        neither=int((~(is_train | is_test)).sum()),
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
    """For each of some groups of clips the protocols under which some of them train and others test."""
    rows = {clip_id: row for row, clip_id in enumerate(table.clip_id)} if groups else {}
    sides = {rule.name: divide_clips(table, rule) for rule in rules} if groups else {}
    found = []
    for group in groups:
        own = [rows[clip_id] for clip_id in group]
        found.append(tuple(name for name, both in sides.items() if all(side[own].any() for side in both)))
    return found


def is_published(table: ClipTable, rule: Protocol) -> bool:
    """Whether some clips are as many as published under a protocol; never where nothing is published."""
    return bool(rule.published) and not check_split_sizes(table, "", (rule,))
