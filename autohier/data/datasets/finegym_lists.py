"""The text files of Gym99: lists of its clips, and the names of its classes.

A line of a list is ``<video>_E_<s>_<e>_A_<s>_<e> <label>``, also with ``.mp4`` after the clip: the seconds of
an event in the video, those of an element in the event, and the element's label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.data.datasets.finding import find_named
from autohier.data.datasets.finegym_hierarchy import NUM_ELEMENTS, read_gym99_table
from autohier.data.datasets.list_file import read_list_file
from autohier.errors import InputError, MissingDataError

PARTS: Final = ("train", "val")
CLIP_ID: Final = re.compile(
    r"(?P<event>(?P<video>.+)_E_(?P<event_s>[0-9]{1,6})_[0-9]{1,6})"
    r"_A_(?P<start_s>[0-9]{1,6})_(?P<stop_s>[0-9]{1,6})"
)
"""A clip's name: where its event begins in the video, where it begins and ends in the event, in seconds."""

# The second is what a public toolkit calls the first when it downloads it. The third, without any addition,
# is what it makes of it, of the videos that were there then: it is read where the others are not.
_LIST = re.compile(r"gym99_(train|val)(_element.*|_org)?\.txt")
_CATEGORIES = re.compile(r"gym99_categor.*\.txt")
_LINE = re.compile(r"(\S+?)(?:\.mp4)?\s+([0-9]{1,2})")
_CATEGORY = re.compile(r"Clabel:\s*([0-9]{1,2})\s*;(?:.*;)?\s*(\S[^;]*)")


@dataclass(frozen=True, slots=True)
class ListedClip:
    """What the lists say of a clip.

    Attributes:
        part: ``train`` or ``val``.
        label: 0-based element.
    """

    part: str
    label: int


def read_gym99_lists(source: Path) -> dict[str, ListedClip]:
    """All clips that the lists under a folder name, by their ids.

    A list may be there several times, under whatever names; lists of one part that differ are two versions of
    Gym99, which are never merged.

    Raises:
        InputError: where a line is malformed, or lists contradict each other.
        MissingDataError: where the folder cannot be listed, or there is no list of one of the parts.
    """
    lists: dict[str, dict[str, int]] = {}
    first: dict[str, Path] = {}
    found = [(match[1], match[2], path) for match, path in find_named(source, _LIST)]
    whole = {part for part, addition, _ in found if addition}
    for part, addition, path in found:
        if part in whole and not addition:
            continue
        labels = _read_list(path)
        earlier = lists.setdefault(part, labels)
        first.setdefault(part, path)
        if labels != earlier:
            raise InputError(
                f"the {part} lists of a source of gym99 must be of one version",
                got=f"{first[part]} with {len(earlier):,} clips and {path} with {len(labels):,}, "
                f"which differ in {_name_difference(earlier, labels)}",
                remedy="leave the one that is meant in the source",
            )
    for part in PARTS:
        if part not in lists:
            raise MissingDataError(
                f"a source of gym99 must hold files named like gym99_{part}_element.txt",
                got=source,
                remedy="download the lists of Gym99 to there",
            )
    train, val = (lists[part] for part in PARTS)
    if both := sorted(train.keys() & val.keys()):
        raise InputError(
            "a clip of gym99 must not both train and validate",
            got=f"{len(both):,} in both lists, e.g. {both[0]}",
            remedy="take both lists from one version",
        )
    return {clip_id: ListedClip(part, label) for part in PARTS for clip_id, label in lists[part].items()}


def _name_difference(earlier: Mapping[str, int], later: Mapping[str, int]) -> str:
    clip_ids = {clip_id for clip_id, _ in earlier.items() ^ later.items()}
    return f"{len(clip_ids):,} clips, e.g. {min(clip_ids)}"


def _read_list(path: Path) -> dict[str, int]:
    """The label of every clip."""
    labels: dict[str, int] = {}
    for number, line in enumerate(read_list_file(path), start=1):
        if not line:
            continue
        place = f"{path.name}:{number}"
        match = _LINE.fullmatch(line)
        if match is None or not CLIP_ID.fullmatch(match[1]):
            raise InputError(
                "a line of a gym99 list must be like 0LtLS9wROrk_E_002407_002435_A_0003_0005 61",
                got=f"{line[:80]!r} at {place}",
            )
        label = int(match[2])
        if label >= NUM_ELEMENTS:
            raise InputError(
                f"the label of a gym99 clip must be one of 0 to {NUM_ELEMENTS - 1}", got=f"{label} at {place}"
            )
        if labels.setdefault(match[1], label) != label:
            raise InputError(
                "a clip of gym99 must have one label",
                got=f"{match[1]} with {labels[match[1]]} and, at {place}, {label}",
            )
    return labels


def read_gym99_class_names(source: Path | None) -> tuple[str, ...]:
    """One name per element: that of a categories file, or else its event and number, e.g. ``VT 0``.

    Names that several elements share get their element's number behind them.

    Args:
        source: a folder that may hold a file like ``gym99_categories.txt``; None for none.

    Raises:
        InputError: where that file is malformed or does not name every element once.
        MissingDataError: where the folder cannot be listed.
    """
    path = None if source is None else next((path for _, path in find_named(source, _CATEGORIES)), None)
    if path is None:
        return tuple(f"{event} {element}" for element, (_, event) in enumerate(read_gym99_table(source)))
    names = _read_categories(path)
    num_uses = Counter(names)
    return tuple(f"{name} ({element})" if num_uses[name] > 1 else name for element, name in enumerate(names))


def _read_categories(path: Path) -> list[str]:
    names: dict[int, str] = {}
    for number, line in enumerate(read_list_file(path), start=1):
        if not line:
            continue
        match = _CATEGORY.fullmatch(line)
        if match is None or names.setdefault(int(match[1]), match[2]) != match[2]:
            raise InputError(
                "a line of gym99's categories must be like 'Clabel: 0; set: 1; Glabel: 1; (VT) round-off', "
                "one for each label",
                got=f"{line[:80]!r} at {path.name}:{number}",
            )
    if sorted(names) != list(range(NUM_ELEMENTS)):
        raise InputError(f"{path.name} must name the {NUM_ELEMENTS} elements of gym99", got=len(names))
    return [names[element] for element in range(NUM_ELEMENTS)]
