"""Finding a dataset's files by their names, wherever they lie under a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

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


def walk_source(source: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder with the names of its folders and files, in a fixed order: by folder, then by name.

    Folders that the caller takes out of the list of folders are not gone into.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    if not source.is_dir():
        raise MissingDataError("the source must be a folder", got=source, remedy="see --source")
    for folder, subfolders, names in os.walk(source, onerror=_refuse):
        subfolders.sort()
        yield Path(folder), subfolders, sorted(names)


def require_path(path: Path | None, kind: str) -> Path:
    """The path of a clip's file.

    Raises:
        ClipError: where the clip came without it.
    """
    if path is None:
        raise ClipError(f"a clip must have a {kind} file")
    return path


def _refuse(error: OSError) -> None:
    raise MissingDataError("the source must be readable", got=error) from error
