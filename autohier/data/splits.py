"""Splits: which clips of a store train, validate and test under a protocol.

Under ``clean`` validation, choices are made on held-out training subjects (or setups) and the test clips
stay unseen. Under ``paper`` they are made on a tenth of the test clips, as in HAC section 4.1, which
leaks: it is there for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.store.reader import ClipTable
from autohier.digest import derive_seed, digest
from autohier.errors import InputError

_SHARE = 0.1
"""Of the test clips under ``paper``, and of those who train where a protocol names nobody to hold out."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a store, ascending int64. Only under ``paper`` do validation and test share clips."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def training_on_all(self) -> Split:
        """The same where the validation clips train too, so that what is measured on them says nothing."""
        return replace(self, train=np.sort(np.concatenate([self.train, self.validation])))


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """Clips of each part of a split."""

    train: int
    validation: int
    test: int


def split_clips(
    clips: ClipTable,
    rule: Protocol,
    *,
    validation: Literal["clean", "paper"],
    held_out: tuple[int, ...],
    seed: int = 0,
) -> Split:
    """Divide a store's clips.

    Args:
        clips: the store's table.
        rule: one of its protocols.
        validation: ``clean``: the training clips of ``held_out``; ``paper``: 10% of the test clips, which
            also stay in the test part.
        held_out: training subjects (cross-subject) or setups (cross-view); unused under ``paper``.
        seed: draws the 10%, from the names of the clips.

    Raises:
        InputError: where ``held_out`` names what does not train, or a part would be empty.
    """
    is_train, is_test = divide_clips(clips, rule)
    test = np.flatnonzero(is_test)
    if validation == "paper":
        # By their names, so that copies which lack some clips draw the others alike, and can be fused.
        drawing = derive_seed(seed, "paper validation", rule.name)
        lots = [digest(f"{drawing} {clips.clip_id[row]}") for row in test]
        num_drawn = min(len(test), max(1, round(_SHARE * len(test))))
        drawn = test[np.argsort(lots)[:num_drawn]]
        split = Split(np.flatnonzero(is_train), np.sort(drawn), test)
    else:
        values = getattr(clips, rule.held_out_column)
        _check_held_out(rule, held_out, values[is_train])
        is_held_out = is_train & np.isin(values, held_out)
        split = Split(np.flatnonzero(is_train & ~is_held_out), np.flatnonzero(is_held_out), test)
    for part in ("train", "validation", "test"):
        if len(getattr(split, part)) == 0:
            raise InputError(
                f"the {part} part of {rule.name} must hold clips",
                got=f"none of the store's {len(clips)}",
                remedy="prepare the whole dataset, or hold out other " + rule.held_out_column + "s",
            )
    return split


def published_split_sizes(
    rule: Protocol, *, validation: Literal["clean", "paper"], held_out: tuple[int, ...]
) -> SplitSizes | None:
    """How a complete copy of a dataset is divided, as far as published sizes tell; None where there are none.

    Clean validation takes the share of the training clips that ``held_out`` has of the subjects or setups,
    or a tenth of them where nothing is said of who trains.

    Args:
        rule: one of the dataset's protocols.
        validation: ``clean`` or ``paper``.
        held_out: training subjects or setups; none for the protocol's own choice.

    Raises:
        InputError: where ``held_out`` is not a part of what trains.
    """
    if not rule.published:
        return None
    size = rule.published[0]
    if validation == "paper":
        return SplitSizes(size.train, max(1, round(_SHARE * size.test)), size.test)
    held_out = held_out or rule.default_held_out
    if rule.num_to_hold_out is None:
        share = _SHARE
    else:
        if rule.column == rule.held_out_column:
            _check_held_out(rule, held_out, np.array(sorted(rule.train)))
        share = len(held_out) / rule.num_to_hold_out
    num_held_out = round(size.train * share)
    if not 0 < num_held_out < size.train:
        raise InputError(
            f"clean validation holds out some of the {rule.num_to_hold_out} {rule.held_out_column}s",
            got=held_out,
        )
    return SplitSizes(size.train - num_held_out, num_held_out, size.test)


def default_held_out(clips: ClipTable, rule: Protocol) -> tuple[int, ...]:
    """What clean validation holds out unless told otherwise.

    That is what the protocol names, or else a tenth of the subjects (or setups) that train, drawn from a
    fixed seed.

    Args:
        clips: a store's table.
        rule: one of its protocols.
    """
    if rule.default_held_out:
        return rule.default_held_out
    is_train, _ = divide_clips(clips, rule)
    values = np.unique(getattr(clips, rule.held_out_column)[is_train])
    rng = np.random.default_rng(derive_seed(0, "held out", rule.name))
    num_drawn = min(len(values), max(1, round(_SHARE * len(values))))
    return tuple(sorted(rng.choice(values, num_drawn, replace=False).tolist()))


def deal_folds(clips: ClipTable, rule: Protocol, num_folds: int) -> list[tuple[int, ...]]:
    """Deal the subjects (or setups) that train into folds of equal numbers, give or take one.

    They are dealt in ascending order, one to each fold in turn.

    Args:
        clips: a store's table.
        rule: one of its protocols.
        num_folds: how many; each is held out once.

    Raises:
        InputError: where fewer train.
    """
    is_train, _ = divide_clips(clips, rule)
    values: list[int] = np.unique(getattr(clips, rule.held_out_column)[is_train]).tolist()
    _check_somebody_is_left(rule, values)
    if num_folds > len(values):
        raise InputError(
            f"protocol.num_folds must not be above the number of {rule.held_out_column}s that train, "
            f"{len(values)} under {rule.name}",
            got=num_folds,
        )
    return [tuple(values[first::num_folds]) for first in range(num_folds)]


def check_split_sizes(clips: ClipTable, dataset: str, protocols: Sequence[Protocol]) -> list[str]:
    """Compare a store's split sizes with the published ones, or with what a user's own lists name.

    Returns:
        One sentence per protocol whose sizes match no published ones; none where all agree.
    """
    findings = []
    for rule in protocols:
        is_train, is_test = divide_clips(clips, rule)
        sizes = int(is_train.sum()), int(is_test.sum())
        if rule.published and sizes not in {(size.train, size.test) for size in rule.published}:
            published = " or ".join(f"{size.train:,} / {size.test:,} ({size.of})" for size in rule.published)
            findings.append(
                f"{dataset} {rule.name} has {sizes[0]:,} train / {sizes[1]:,} test clips; "
                f"{'published' if dataset in PROTOCOLS else 'listed'} are {published}"
            )
    return findings


def divide_clips(clips: ClipTable, rule: Protocol) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which clips train, those that will validate included, and which test: a flag per row for each."""
    if rule.column == "parts":
        is_train, is_test = (
            np.fromiter((not names.isdisjoint(parts) for parts in clips.parts), bool, len(clips))
            for names in (frozenset(rule.train), frozenset(rule.test))
        )
        return is_train, is_test
    values = getattr(clips, rule.column)
    return np.isin(values, rule.train), np.isin(values, rule.test)


def _check_somebody_is_left(rule: Protocol, trains: Sequence[int]) -> None:
    if len(trains) == 1:
        column = rule.held_out_column
        raise InputError(
            f"two {column}s or more must train under {rule.name}, as one of them validates",
            got=f"{column} {trains[0]} alone",
            remedy=f"prepare the whole dataset; of your own clips tell no {column}, and each counts as one",
        )


def _check_held_out(rule: Protocol, held_out: tuple[int, ...], training_values: NDArray[np.int64]) -> None:
    trains: list[int] = np.unique(training_values).tolist()
    _check_somebody_is_left(rule, trains)
    if not held_out or not set(held_out) <= set(trains):
        raise InputError(
            f"clean validation holds out {rule.held_out_column}s that train under {rule.name}",
            got=held_out,
            remedy=f"choose among {', '.join(map(str, trains))}",
        )
