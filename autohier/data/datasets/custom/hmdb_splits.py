"""Lists of HMDB51 and JHMDB: ``CLASS_test_split1.txt`` with lines ``CLIP.avi 1``; 1 trains, 2 tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.file_search import find_named
from autohier.data.datasets.common.split_lists import ListedClips, list_protocols
from autohier.data.formats.text_list import read_list_file
from autohier.errors import InputError

_NAME = re.compile(r"(.+)_test_split(\d{1,2})\.txt", re.IGNORECASE | re.ASCII)
_LINE = re.compile(r"(.+?)(\.\w{1,5})?\s+([012])")
_ROLES = {"1": "train", "2": "test"}


def read_split_lists(
    source: Path, clip_ids: Collection[str]
) -> tuple[ListedClips | None, list[DatasetWarning]]:
    """Return the lists below a folder, with the clips that exist, and warnings; None if there are none.

    Args:
        source: the folder of a user's clips.
        clip_ids: their ids, ``CLASS/CLIP``.

    Raises:
        InputError: if a line breaks the format, or no list names a clip of the source.
        MissingDataError: if a folder cannot be listed.
    """
    lists: dict[str, set[str]] = defaultdict(set)
    missing: list[str] = []
    for match, path in find_named(source, _NAME):
        for number, line in enumerate(read_list_file(path), start=1):
            parsed = _LINE.fullmatch(line)
            if line and parsed is None:
                raise InputError(
                    f"{path} line {number} must name a clip and 0, 1 or 2",
                    got=line,
                    hint="1 trains, 2 tests and 0 does neither",
                )
            role = _ROLES.get(parsed[3]) if parsed else None
            if parsed and role:
                clip_id = f"{match[1]}/{parsed[1]}"
                if clip_id in clip_ids:
                    lists[f"split{match[2]}_{role}"].add(clip_id)
                else:
                    missing.append(clip_id)
    if not lists:
        return None, []
    listed = list_protocols({name: frozenset(lists[name]) for name in sorted(lists)}, frozenset(clip_ids))
    if not missing:
        return listed, []
    text = f"{len(set(missing)):,} clips in the lists of splits have no video, e.g. {min(missing)}"
    return listed, [DatasetWarning(text, "add them if the published splits should be complete")]
