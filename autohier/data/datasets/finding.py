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
    if not source.is_dir():
        raise MissingDataError("the source must be a folder", got=source, remedy="see --source")
    for folder, subfolders, names in os.walk(source, onerror=_refuse):
        subfolders.sort()
        for name in sorted(names):
            if match := pattern.fullmatch(name):
                yield match, Path(folder) / name


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
