"""Splits of a store into training, validation and test clips under a protocol.

Under ``clean`` validation, configs are selected on held-out training subjects (or setups), and the test clips
stay unseen. Under ``listed`` validation they are selected on the clips of the source's own validation list.
Under ``paper`` they are selected on a tenth of the test clips, as in HAC section 4.1. This leaks test clips
and exists for comparison only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.store.table import ClipTable
from autohier.data.transforms.sampling import evenly_spaced
from autohier.data.unknown_subjects import are_mostly_unknown
from autohier.digest import derive_seed, digest
from autohier.errors import InputError
from autohier.text import plural

Validation = Literal["clean", "listed", "paper"]
"""Source of the validation clips of one split."""

_SHARE = 0.1
"""Validation share: of the test clips under ``paper``; of the training subjects if a protocol names none."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a store, ascending int64. Only under ``paper`` do validation and test share clips."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def training_on_all(self) -> Split:
        """Return a split that trains on the validation clips too; their accuracy then means nothing."""
        return replace(self, train=np.sort(np.concatenate([self.train, self.validation])))


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """Number of clips in each part of a split."""

    train: int
    validation: int
    test: int


def split_clips(
    clips: ClipTable,
    rule: Protocol,
    *,
    validation: Validation,
    held_out: tuple[int, ...],
    seed: int = 0,
    drop_duplicates: bool = False,
) -> Split:
    """Divide a store's clips into training, validation and test rows.

    Args:
        clips: table of the store.
        rule: one of the store's protocols.
        validation: ``clean``: the training clips of ``held_out``; ``listed``: the clips of the protocol's
            validation lists, which do not train; ``paper``: 10% of the test clips, which also stay in the
            test part.
        held_out: training subjects (cross-subject) or setups (cross-view); used under ``clean`` only.
        seed: seed of the 10% sample under ``paper``.
        drop_duplicates: True leaves out the training and validation clips with the content of a test clip,
            and the training clips with the content of a validation clip. Test clips always stay.

    Raises:
        InputError: if a value of ``held_out`` does not train, the protocol has no validation list, or a part
            would be empty.
    """
    is_train, is_test = split_masks(clips, rule)
    test = np.flatnonzero(is_test)
    if validation == "paper":
        # Ranked by clip id, so that copies with different missing clips sample alike and can be fused.
        sample_seed = derive_seed(seed, "paper validation", rule.name)
        ranks = [digest(f"{sample_seed} {clips.clip_id[row]}") for row in test]
        num_sampled = min(len(test), max(1, round(_SHARE * len(test))))
        sampled = test[np.argsort(ranks)[:num_sampled]]
        split = Split(np.flatnonzero(is_train), np.sort(sampled), test)
    elif validation == "listed":
        is_listed = listed_mask(clips, rule) & ~is_test
        split = Split(np.flatnonzero(is_train & ~is_listed), np.flatnonzero(is_listed), test)
    else:
        values = getattr(clips, rule.held_out_column)
        _check_held_out(rule, held_out, values[is_train])
        is_held_out = is_train & np.isin(values, held_out)
        split = Split(np.flatnonzero(is_train & ~is_held_out), np.flatnonzero(is_held_out), test)
    if drop_duplicates:
        split = _drop_duplicates(clips, split, keeps_validation=validation == "paper")
    for part in ("train", "validation", "test"):
        if len(getattr(split, part)) == 0:
            raise InputError(
                f"the {part} part of {rule.name} must contain clips",
                got=f"none of the store's {len(clips)}",
                hint="prepare the whole dataset, or hold out other " + rule.held_out_column + "s",
            )
    return split


def few_per_class(clips: ClipTable, split: Split, num_clips: int, *, seed: int) -> Split:
    """Return a split that trains on a sample of each class, without changing its other parts.

    Samples of one seed are nested: a larger one contains the smaller ones.

    Args:
        clips: table of the store.
        split: the split.
        num_clips: training clips of each class; a class with fewer keeps all.
        seed: seed of the sample.
    """
    sample_seed = derive_seed(seed, "clips per class")
    # Ranked by clip id, so that copies with different missing clips sample alike.
    rank = {row: digest(f"{sample_seed} {clips.clip_id[row]}") for row in split.train.tolist()}
    labels = clips.label[split.train]
    chosen = [
        row
        for label in np.unique(labels)
        for row in sorted(split.train[labels == label].tolist(), key=rank.__getitem__)[:num_clips]
    ]
    return replace(split, train=np.sort(np.array(chosen, dtype=np.int64)))


def num_shared_test_clips(clips: ClipTable, split: Split) -> int:
    """Count the test clips whose content equals that of a training clip, of the search or of a refit."""
    if clips.content is None:
        return 0
    learned = clips.content[np.setdiff1d(split.training_on_all().train, split.test)]
    return int(np.isin(clips.content[split.test], learned).sum())


def num_left_out_clips(clips: ClipTable, rule: Protocol) -> int:
    """Return how many training clips `split_clips` leaves out as duplicates of test clips."""
    if clips.content is None:
        return 0
    is_train, is_test = split_masks(clips, rule)
    return int(np.isin(clips.content[is_train & ~is_test], clips.content[is_test]).sum())


def left_out_text(number: int) -> str:
    """Return how many training clips are left out as duplicates of test clips, as a sentence."""
    verb = "has" if number == 1 else "have"
    return f"duplicates: {plural(number, 'training clip')} left out, which {verb} the content of a test clip"


def _drop_duplicates(clips: ClipTable, split: Split, *, keeps_validation: bool) -> Split:
    if clips.content is None:
        return split
    content = clips.content
    validation = split.validation
    if not keeps_validation:
        validation = validation[~np.isin(content[validation], content[split.test])]
    others = np.concatenate([content[validation], content[split.test]])
    return replace(split, train=split.train[~np.isin(content[split.train], others)], validation=validation)


def published_split_sizes(
    rule: Protocol, *, validation: Literal["clean", "paper"], held_out: tuple[int, ...]
) -> SplitSizes | None:
    """Return the split sizes of a complete copy of a dataset; None if no sizes are published.

    The share of clean validation is that of ``held_out`` among the training subjects or setups, or a tenth if
    their number is not published.

    Args:
        rule: one of the dataset's protocols.
        validation: ``clean`` or ``paper``.
        held_out: training subjects or setups; empty for the protocol's default.

    Raises:
        InputError: if ``held_out`` is not a proper subset of the training values.
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
            f"clean validation holds out some of the {rule.num_to_hold_out} {rule.held_out_column}s, not all",
            got=", ".join(map(str, held_out)),
        )
    return SplitSizes(size.train - num_held_out, num_held_out, size.test)


def default_held_out(clips: ClipTable, rule: Protocol) -> tuple[int, ...]:
    """Return the subjects (or setups) that clean validation holds out by default.

    These are the protocol's own, or else a tenth of the training values, sampled with a fixed seed. Where
    most subjects are unknown, a tenth of each class.

    Args:
        clips: table of a store.
        rule: one of the store's protocols.
    """
    if rule.default_held_out:
        return rule.default_held_out
    is_train, _ = split_masks(clips, rule)
    values = np.unique(getattr(clips, rule.held_out_column)[is_train])
    rng = np.random.default_rng(derive_seed(0, "held out", rule.name))
    num_sampled = min(len(values), max(1, round(_SHARE * len(values))))
    if by_class := _by_class(clips, rule, rng):
        return tuple(sorted(by_class[index] for index in evenly_spaced(len(by_class), num_sampled)))
    return tuple(sorted(rng.choice(values, num_sampled, replace=False).tolist()))


def _by_class(clips: ClipTable, rule: Protocol, rng: np.random.Generator) -> list[int]:
    """Return the training subjects (or setups) class by class, in random order within each class.

    A subject of several classes counts for the first of them. Returns nothing unless most are unknown.
    """
    is_train, _ = split_masks(clips, rule)
    values = getattr(clips, rule.held_out_column)
    if not are_mostly_unknown(values[is_train].tolist()):
        return []
    rows = rng.permutation(np.flatnonzero(is_train))
    rows = rows[np.argsort(clips.label[rows], kind="stable")]
    return list(dict.fromkeys(values[rows].tolist()))


def assign_folds(clips: ClipTable, rule: Protocol, num_folds: int) -> list[tuple[int, ...]]:
    """Assign the training subjects (or setups) to folds, in ascending order and round-robin.

    Where most subjects are unknown, they are assigned class by class, so that folds have alike classes.

    Args:
        clips: table of a store.
        rule: one of the store's protocols.
        num_folds: number of folds; each is held out once.

    Returns:
        The values of each fold; their numbers differ by at most one.

    Raises:
        InputError: if there are fewer training values than folds, or only one.
    """
    is_train, _ = split_masks(clips, rule)
    values: list[int] = np.unique(getattr(clips, rule.held_out_column)[is_train]).tolist()
    _check_several_train(rule, values)
    if num_folds > len(values):
        raise InputError(
            f"protocol.num_folds must not be above the number of {rule.held_out_column}s that train, "
            f"{len(values)} under {rule.name}",
            got=num_folds,
        )
    values = _by_class(clips, rule, np.random.default_rng(derive_seed(0, "folds", rule.name))) or values
    return [tuple(sorted(values[first::num_folds])) for first in range(num_folds)]


def check_split_sizes(clips: ClipTable, dataset: str, protocols: Sequence[Protocol]) -> list[str]:
    """Compare split sizes with the published ones, or with those of a user's own lists.

    Returns:
        One sentence per protocol whose sizes match no published ones; empty if all agree. The sentences are
        part of a store's manifest and so of its fingerprint: rewording them recomputes stages.
    """
    findings = []
    for rule in protocols:
        is_train, is_test = split_masks(clips, rule)
        sizes = int(is_train.sum()), int(is_test.sum())
        if rule.published and sizes not in {(size.train, size.test) for size in rule.published}:
            published = " or ".join(f"{size.train:,} / {size.test:,} ({size.of})" for size in rule.published)
            findings.append(
                f"{dataset} {rule.name} has {sizes[0]:,} train / {sizes[1]:,} test clips; "
                f"{'published' if dataset in PROTOCOLS else 'listed'} are {published}"
            )
    return findings


def split_masks(clips: ClipTable, rule: Protocol) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the masks of training rows and test rows; training rows include those held out of them."""
    if rule.column == "parts":
        return _in_lists(clips, rule.train), _in_lists(clips, rule.test)
    values = getattr(clips, rule.column)
    return np.isin(values, rule.train), np.isin(values, rule.test)


def listed_mask(clips: ClipTable, rule: Protocol) -> NDArray[np.bool_]:
    """Return the mask of the rows in a protocol's validation lists.

    Raises:
        InputError: if it has none.
    """
    if not rule.validation:
        raise InputError(
            f"validation = 'listed' needs a validation list of {rule.name}",
            got="none in the source",
            hint="set protocol.validation to 'clean' or 'folds', or add a list val next to train and test",
        )
    return _in_lists(clips, rule.validation)


def _in_lists(clips: ClipTable, lists: Sequence[str | int]) -> NDArray[np.bool_]:
    names = frozenset(lists)
    return np.fromiter((not names.isdisjoint(parts) for parts in clips.parts), bool, len(clips))


def _check_several_train(rule: Protocol, training_values: Sequence[int]) -> None:
    if len(training_values) == 1:
        column = rule.held_out_column
        raise InputError(
            f"two {column}s or more must train under {rule.name}, as one of them validates",
            got=f"{column} {training_values[0]} alone",
            hint=f"prepare the whole dataset; if your own clips name no {column}, each clip counts as one",
        )


def _check_held_out(rule: Protocol, held_out: tuple[int, ...], training_values: NDArray[np.int64]) -> None:
    values: list[int] = np.unique(training_values).tolist()
    _check_several_train(rule, values)
    if not held_out or not set(held_out) <= set(values):
        raise InputError(
            f"clean validation holds out {rule.held_out_column}s that train under {rule.name}",
            got=", ".join(map(str, held_out)) or "none",
            hint=f"choose some of {', '.join(map(str, values))}: --set 'protocol.held_out=[{values[0]}]'"
            if values
            else "prepare the whole dataset",
        )
