"""Class, subject and camera numbers of a user's own clips, and their evaluation protocols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.default_split import default_split
from autohier.data.datasets.common.spellings import warn_spellings
from autohier.data.datasets.custom.clip import CustomClip
from autohier.data.datasets.custom.table import TABLE
from autohier.data.protocols import Protocol, PublishedSize
from autohier.errors import InputError

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels, sorted by number if all are whole numbers, else as text."""
    distinct = set(labels)
    if _are_whole(distinct):
        return tuple(map(str, sorted({int(label) for label in distinct})))
    return tuple(sorted(distinct))


def classes_of(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the class number of each label."""
    order = {name: number for number, name in enumerate(names)}
    are_whole = _are_whole(names)
    return [order[str(int(label)) if are_whole else label] for label in labels]


def divide(
    clips: Sequence[CustomClip], subjects: Sequence[int], cameras: Sequence[int]
) -> tuple[tuple[Protocol, ...], list[tuple[str, ...]]]:
    """Return the evaluation protocols of clips, and the lists that contain each clip.

    - If the table has a split: train and test, or train and val if no clip has test. Next to test, val
      validates.
    - Else: see `default_split`. Cross-view is added if the table has several cameras. The first camera tests,
      as in NTU.

    Raises:
        InputError: if the split column has no clip that trains, or none that tests.
    """
    if any(clip.split for clip in clips):
        return _divide_by_split([clip.split for clip in clips])
    views = _divide_by_cameras(cameras) if clips[0].camera else ()
    rule, parts = default_split([clip.label for clip in clips], subjects, are_stated=bool(clips[0].subject))
    return (rule, *views), parts


def warn_names(clips: Sequence[CustomClip]) -> Iterator[DatasetWarning]:
    """Warn about classes, subjects, cameras and setups whose names differ in case or blanks only."""
    kinds = {"label": "classes", "subject": "subjects", "camera": "cameras", "setup": "setups"}
    for column, kind in kinds.items():
        yield from warn_spellings(kind, (getattr(clip, column) for clip in clips))


def _divide_by_split(splits: Sequence[str]) -> tuple[tuple[Protocol, ...], list[tuple[str, ...]]]:
    counts = {name: splits.count(name) for name in sorted(set(splits) - {""})}
    test = next((name for name in ("test", "val") if name in counts), None)
    if "train" not in counts or test is None:
        raise InputError(
            f"the column split in {TABLE} must contain train, and test or val",
            got=", ".join(counts),
            hint="add the missing one, or remove the column",
        )
    size = PublishedSize(f"clips in {TABLE}", counts["train"], counts[test])
    validation = ("val",) if test == "test" and "val" in counts else ()
    rule = Protocol("split", "parts", ("train",), (test,), published=(size,), validation=validation)
    return (rule,), [(name,) if name else () for name in splits]


def _divide_by_cameras(cameras: Sequence[int]) -> tuple[Protocol, ...]:
    first, *others = sorted(set(cameras))
    return (Protocol("cross-view", "camera", tuple(others), (first,)),) if others else ()


def _are_whole(values: Iterable[str]) -> bool:
    return all(_WHOLE.fullmatch(value) for value in values)
