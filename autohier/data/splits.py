"""Splits: which clips of a store train, validate and test under a protocol.

Under ``clean`` validation, choices are made on held-out training subjects (or setups) and the test clips
stay unseen. Under ``paper`` they are made on a tenth of the test clips, as in HAC section 4.1, which
leaks: it is there for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.store.reader import ClipTable
from autohier.digest import derive_seed
from autohier.errors import InputError

_PAPER_SHARE = 0.1


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
    *,
    dataset: str,
    protocol: str,
    validation: Literal["clean", "paper"],
    held_out: tuple[int, ...],
    seed: int = 0,
) -> Split:
    """Divide a store's clips.

    Args:
        clips: the store's table.
        dataset: registered name.
        protocol: one of the dataset's, e.g. ``cross-subject``.
        validation: ``clean``: the training clips of ``held_out``; ``paper``: 10% of the test clips, which
            also stay in the test part.
        held_out: training subjects (cross-subject) or setups (cross-view); unused under ``paper``.
        seed: draws the 10%.

    Raises:
        InputError: where the protocol is unknown, ``held_out`` names what does not train, or a part
            would be empty.
    """
    rule = find_protocol(dataset, protocol)
    is_train, is_test = _divide(clips, rule)
    test = np.flatnonzero(is_test)
    if validation == "paper":
        rng = np.random.default_rng(derive_seed(seed, "paper validation", dataset, protocol))
        num_drawn = min(len(test), max(1, round(_PAPER_SHARE * len(test))))
        split = Split(np.flatnonzero(is_train), np.sort(rng.choice(test, num_drawn, replace=False)), test)
    else:
        values = getattr(clips, rule.held_out_column)
        _check_held_out(rule, held_out, values[is_train])
        is_held_out = is_train & np.isin(values, held_out)
        split = Split(np.flatnonzero(is_train & ~is_held_out), np.flatnonzero(is_held_out), test)
    for part in ("train", "validation", "test"):
        if len(getattr(split, part)) == 0:
            raise InputError(
                f"the {part} part of {dataset} {protocol} must hold clips",
                got=f"none of the store's {len(clips)}",
                remedy="prepare the whole dataset, or hold out other " + rule.held_out_column + "s",
            )
    return split


def published_split_sizes(
    *, dataset: str, protocol: str, validation: Literal["clean", "paper"], held_out: tuple[int, ...]
) -> SplitSizes | None:
    """How a complete copy of a dataset is divided, as far as published sizes tell; None where there are none.

    Clean validation takes the share of the training clips that ``held_out`` has of the subjects or setups.

    Args:
        dataset: registered name; the other arguments are those of `split_clips`.
        protocol: one of the dataset's.
        validation: ``clean`` or ``paper``.
        held_out: training subjects or setups.

    Raises:
        InputError: where the protocol is unknown, or ``held_out`` is not a part of what trains.
    """
    rule = find_protocol(dataset, protocol)
    if not rule.published:
        return None
    size = rule.published[0]
    if validation == "paper":
        return SplitSizes(size.train, max(1, round(_PAPER_SHARE * size.test)), size.test)
    if rule.column == rule.held_out_column:
        _check_held_out(rule, held_out, np.array(sorted(rule.train)))
    num_held_out = round(size.train * len(held_out) / rule.num_to_hold_out)
    if not 0 < num_held_out < size.train:
        raise InputError(
            f"clean validation holds out some of the {rule.num_to_hold_out} {rule.held_out_column}s",
            got=held_out,
        )
    return SplitSizes(size.train - num_held_out, num_held_out, size.test)


def default_held_out(dataset: str, protocol: str) -> tuple[int, ...]:
    """The subjects or setups that clean validation holds out unless told otherwise.

    Raises:
        InputError: where the dataset or protocol is unknown.
    """
    return find_protocol(dataset, protocol).default_held_out


def find_protocol(dataset: str, protocol: str) -> Protocol:
    """A dataset's protocol by name.

    Raises:
        InputError: where the dataset or protocol is unknown.
    """
    if dataset not in PROTOCOLS:
        raise InputError(f"the dataset must be one of {', '.join(PROTOCOLS)}", got=repr(dataset))
    rules = {rule.name: rule for rule in PROTOCOLS[dataset]}
    if protocol not in rules:
        raise InputError(f"the protocol of {dataset} must be one of {', '.join(rules)}", got=repr(protocol))
    return rules[protocol]


def check_split_sizes(clips: ClipTable, *, dataset: str) -> list[str]:
    """Compare a store's split sizes with the published ones.

    Returns:
        One sentence per protocol whose sizes match no published ones; none where all agree.

    Raises:
        InputError: where the dataset is unknown.
    """
    if dataset not in PROTOCOLS:
        raise InputError(f"the dataset must be one of {', '.join(PROTOCOLS)}", got=repr(dataset))
    findings = []
    for rule in PROTOCOLS[dataset]:
        is_train, is_test = _divide(clips, rule)
        sizes = int(is_train.sum()), int(is_test.sum())
        if rule.published and sizes not in {(size.train, size.test) for size in rule.published}:
            published = " or ".join(f"{size.train:,} / {size.test:,} ({size.of})" for size in rule.published)
            findings.append(
                f"{dataset} {rule.name} has {sizes[0]:,} train / {sizes[1]:,} test clips; "
                f"published are {published}"
            )
    return findings


def _divide(clips: ClipTable, rule: Protocol) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    values = getattr(clips, rule.column)
    return np.isin(values, sorted(rule.train)), np.isin(values, sorted(rule.test))


def _check_held_out(rule: Protocol, held_out: tuple[int, ...], training_values: NDArray[np.int64]) -> None:
    trains = np.unique(training_values).tolist()
    if not held_out or not set(held_out) <= set(trains):
        raise InputError(
            f"clean validation holds out {rule.held_out_column}s that train under {rule.name}",
            got=held_out,
            remedy=f"choose among {', '.join(map(str, trains))}",
        )
