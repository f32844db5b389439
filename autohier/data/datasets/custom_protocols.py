"""How a user's own clips are numbered, and how they are divided."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from autohier.data.datasets.custom_clip import CustomClip
from autohier.data.datasets.custom_table import TABLE
from autohier.data.datasets.reader import Remark
from autohier.data.protocols import Protocol, PublishedSize
from autohier.digest import derive_seed
from autohier.errors import InputError

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_TEST_SHARE: Final = 0.2


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels: by number where all are whole numbers, else as text."""
    distinct = set(labels)
    if _are_whole(distinct):
        return tuple(map(str, sorted({int(label) for label in distinct})))
    return tuple(sorted(distinct))


def classes_of(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """Which of the classes each label says."""
    order = {name: number for number, name in enumerate(names)}
    are_whole = _are_whole(names)
    return [order[str(int(label)) if are_whole else label] for label in labels]


def number_values(values: Sequence[str]) -> list[int]:
    """Numbers as they are where all values are whole; else each distinct text's place, from 1."""
    if _are_whole(values):
        return [int(value) for value in values]
    order = {value: number for number, value in enumerate(sorted(set(values)), start=1)}
    return [order[value] for value in values]


def divide(
    clips: Sequence[CustomClip], subjects: Sequence[int], cameras: Sequence[int]
) -> tuple[tuple[Protocol, ...], list[tuple[str, ...]]]:
    """The protocols of some clips, and the parts in which each of them is.

    Where the table has a split, that is it: train and test, or train and val where nothing tests. Else
    subjects train and test by turns, where the table tells at least two apart, or names tell who acts in
    several clips. Else a fifth of each class tests, drawn from a fixed seed. Beside either of these two
    stands cross-view, where the table tells cameras apart: the first one tests, as NTU's does.

    Raises:
        InputError: where the split column does not say both what trains and what tests.
    """
    if any(clip.split for clip in clips):
        return _divide_as_told([clip.split for clip in clips])
    views = _divide_by_cameras(cameras) if clips[0].camera else ()
    distinct = sorted(set(subjects))
    are_told = clips[0].subject or len(distinct) < len(clips)
    if are_told and len(distinct) > 1:
        rule = Protocol("cross-subject", "subject", tuple(distinct[::2]), tuple(distinct[1::2]))
        return (rule, *views), [()] * len(clips)
    rule = Protocol("random", "parts", ("train",), ("test",))
    tests = _draw_tests([clip.label for clip in clips])
    return (rule, *views), [("test",) if number in tests else ("train",) for number in range(len(clips))]


def remark_splits(clips: Sequence[CustomClip]) -> tuple[Remark, ...]:
    """On clips that a table gives to val where others test."""
    num_val = sum(clip.split == "val" for clip in clips)
    if not num_val or not any(clip.split == "test" for clip in clips):
        return ()
    told = f"under split the {num_val:,} clips of val neither train nor test"
    return (Remark(f"{told}: validation is drawn from training clips"),)


def _divide_as_told(splits: Sequence[str]) -> tuple[tuple[Protocol, ...], list[tuple[str, ...]]]:
    counts = {name: splits.count(name) for name in sorted(set(splits) - {""})}
    test = next((name for name in ("test", "val") if name in counts), None)
    if "train" not in counts or test is None:
        raise InputError(
            f"split in {TABLE} must say train, and test or val",
            got=", ".join(counts),
            remedy="name both, or leave the column out",
        )
    size = PublishedSize(f"clips in {TABLE}", counts["train"], counts[test])
    rule = Protocol("split", "parts", ("train",), (test,), published=(size,))
    return (rule,), [(name,) if name else () for name in splits]


def _divide_by_cameras(cameras: Sequence[int]) -> tuple[Protocol, ...]:
    first, *others = sorted(set(cameras))
    return (Protocol("cross-view", "camera", tuple(others), (first,)),) if others else ()


def _draw_tests(labels: Sequence[str]) -> set[int]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        numbers[label].append(number)
    tests: set[int] = set()
    for label, own in numbers.items():
        num_tests = max(1, round(_TEST_SHARE * len(own))) if len(own) > 1 else 0
        rng = np.random.default_rng(derive_seed(0, "custom test clips", label))
        tests.update(rng.choice(own, num_tests, replace=False).tolist())
    return tests


def _are_whole(values: Iterable[str]) -> bool:
    return all(_WHOLE.fullmatch(value) for value in values)
