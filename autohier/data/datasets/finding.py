"""Finding a dataset's files by their names, wherever they lie under a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from autohier.errors import ClipError, MissingDataError


def find_named(source: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], Path]]:
    """All files whose whole name matches, in a fixed order: by folder, then by name.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    for folder, _, names in walk_source(source):
        for name in names:
            if match := pattern.fullmatch(name):
                yield match, folder / name


@dataclass(frozen=True, slots=True)
class NamedClip:
    """A clip as the names of its files tell it."""

    numbers: tuple[int, ...]
    """In the order of the name."""
    files: dict[str, Path]
    """By their endings, in lower case; the first of several."""


def find_named_clips(source: Path, pattern: re.Pattern[str], *, lower: bool = False) -> dict[str, NamedClip]:
    """The clips whose files have names of one form, by id.

    Args:
        source: the folder, searched at any depth.
        pattern: its groups are the clip's id, the numbers in it, and the ending of the file.
        lower: whether ids are told apart, and given, in lower case.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    found: dict[str, NamedClip] = {}
    for match, path in find_named(source, pattern):
        clip_id, *numbers, ending = match.groups()
        clip = found.setdefault(
            clip_id.lower() if lower else clip_id, NamedClip(tuple(map(int, numbers)), {})
        )
        clip.files.setdefault(ending.lower(), path)
    return dict(sorted(found.items()))


def walk_source(source: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder with the names of its folders and files, in a fixed order: by folder, then by name.

    Folders that the caller takes out of the list of folders are not gone into.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    require_folder(source)
    for folder, subfolders, names in os.walk(source, onerror=_refuse):
        subfolders.sort()
        yield Path(folder), subfolders, sorted(names)


def require_folder(source: Path) -> None:
    """Look whether a source is a folder.

    Raises:
        MissingDataError: where it is not.
    """
    try:
        is_folder = source.is_dir()
    except OSError as error:  # of a name that is too long
        _refuse(error)
    if not is_folder:
        raise MissingDataError("the source must be a folder", got=source, remedy="see --source")


def require_path(path: Path | None, kind: str) -> Path:
    """The path of a clip's file.

    Raises:
        ClipError: where the clip came without it.
    """
    if path is None:
        raise ClipError(f"a clip must have a {kind} file")
    return path


def _refuse(error: OSError) -> NoReturn:
    raise MissingDataError("the source must be readable", got=error) from error
