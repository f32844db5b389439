"""Text files of Gym99: lists of its clips, and names of its classes.

A line of a list is ``<video>_E_<s>_<e>_A_<s>_<e> <label>``, optionally with ``.mp4`` after the clip: start
and end of an event in the video, start and end of an element in the event, in seconds, and the element's
label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.data.datasets.common.file_search import find_named
from autohier.data.datasets.gym99.hierarchy import NUM_ELEMENTS, read_gym99_table
from autohier.data.formats.text_list import read_list_file
from autohier.errors import InputError, MissingDataError

PARTS: Final = ("train", "val")
CLIP_ID: Final = re.compile(
    r"(?P<event>(?P<video>.+)_E_(?P<event_s>[0-9]{1,6})_[0-9]{1,6})"
    r"_A_(?P<start_s>[0-9]{1,6})_(?P<stop_s>[0-9]{1,6})"
)
"""Clip id, with the start of its event in the video, and its own start and stop in the event, in seconds."""

# MMAction2 downloads ``_element`` lists as ``_org``. Lists without a suffix are its selection of the clips
# whose videos it found; they are read only if there are no others.
_LIST = re.compile(r"gym99_(train|val)(_element.*|_org)?\.txt")
_CATEGORIES = re.compile(r"gym99_categor.*\.txt")
_LINE = re.compile(r"(\S+?)(?:\.mp4)?\s+([0-9]{1,2})")
_CATEGORY = re.compile(r"Clabel:\s*([0-9]{1,2})\s*;(?:.*;)?\s*(\S[^;]*)")


@dataclass(frozen=True, slots=True)
class ListedClip:
    """Entry of a clip in the lists.

    Attributes:
        part: ``train`` or ``val``.
        label: 0-based element.
    """

    part: str
    label: int


def read_gym99_lists(source: Path) -> dict[str, ListedClip]:
    """Read the lists below a folder, and return their clips by id.

    There may be copies of a list. Lists of one part that differ are versions of Gym99, which are never
    merged.

    Raises:
        InputError: if a line is malformed, or lists contradict each other.
        MissingDataError: if the folder cannot be listed, or a part has no list.
    """
    lists: dict[str, dict[str, int]] = {}
    first: dict[str, Path] = {}
    files = [(match[1], match[2], path) for match, path in find_named(source, _LIST)]
    complete = {part for part, suffix, _ in files if suffix}
    for part, suffix, path in files:
        if part in complete and not suffix:
            continue
        labels = _read_list(path)
        earlier = lists.setdefault(part, labels)
        first.setdefault(part, path)
        if labels != earlier:
            raise InputError(
                f"the {part} lists of a source of gym99 must have one version",
                got=f"{first[part]} with {len(earlier):,} clips and {path} with {len(labels):,}, "
                f"which differ in {_name_difference(earlier, labels)}",
                hint="keep one of them in the source",
            )
    for part in PARTS:
        if part not in lists:
            raise MissingDataError(
                f"a source of gym99 must contain files named like gym99_{part}_element.txt",
                got=source,
                hint="download the lists of Gym99 into it",
            )
    train, val = (lists[part] for part in PARTS)
    if both := sorted(train.keys() & val.keys()):
        raise InputError(
            "a clip of gym99 must not both train and validate",
            got=f"{len(both):,} in both lists, e.g. {both[0]}",
            hint="take both lists from one version",
        )
    return {clip_id: ListedClip(part, label) for part in PARTS for clip_id, label in lists[part].items()}


def _name_difference(earlier: Mapping[str, int], later: Mapping[str, int]) -> str:
    clip_ids = {clip_id for clip_id, _ in earlier.items() ^ later.items()}
    return f"{len(clip_ids):,} clips, e.g. {min(clip_ids)}"


def _read_list(path: Path) -> dict[str, int]:
    """Return the label of every clip in a list."""
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
    """Return one name per element: from a categories file, or else its event and number, e.g. ``VT 0``.

    If several elements share a name, their numbers are appended.

    Args:
        source: a folder that may contain a file like ``gym99_categories.txt``; None for none.

    Raises:
        InputError: if that file is malformed or does not name every element once.
        MissingDataError: if the folder cannot be listed.
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
