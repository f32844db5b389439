"""Search for a dataset's files by their names, at any depth below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NoReturn

from autohier.data.names import composed
from autohier.errors import ClipError, MissingDataError


def find_named(source: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], Path]]:
    """Yield all files whose whole name matches, with composed letters, sorted by folder, then by name.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
    """
    for folder, _, names in walk_source(source):
        for name in names:
            if match := pattern.fullmatch(composed(name)):
                yield match, folder / name


@dataclass(frozen=True, slots=True)
class NamedClip:
    """Clip that is described by the names of its files."""

    numbers: tuple[int, ...]
    """Numbers in the name, in their order."""
    files: dict[str, Path]
    """Files by their endings in lower case; the first of several."""


def find_named_clips(source: Path, pattern: re.Pattern[str], *, lower: bool = False) -> dict[str, NamedClip]:
    """Return the clips whose files match a pattern, by id.

    Args:
        source: the folder, searched at any depth.
        pattern: its groups are the clip's id, the numbers in it, and the ending of the file.
        lower: converts ids to lower case before they are compared.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
    """
    clips: dict[str, NamedClip] = {}
    for match, path in find_named(source, pattern):
        clip_id, *numbers, ending = match.groups()
        clip = clips.setdefault(
            clip_id.lower() if lower else clip_id, NamedClip(tuple(map(int, numbers)), {})
        )
        clip.files.setdefault(ending.lower(), path)
    return dict(sorted(clips.items()))


@dataclass(frozen=True, slots=True)
class FileFinder:
    """Finder of files by names whose letters may be composed differently on the disk; see `composed`."""

    listed: dict[Path, dict[str, list[str]]] = field(default_factory=dict)
    """Names in each folder that was listed, by their composed form; a folder may hold several of one form."""

    def find(self, folder: Path, path: PurePath) -> Path:
        """Return the file at a relative path below a folder; if there is none, its path as given."""
        try:
            is_there = (folder / path).exists()
        except OSError:  # a name that is too long
            is_there = True
        if is_there:
            return folder / path
        found = [folder]
        for part in path.parts:
            found = [
                parent / name for parent in found for name in self._names(parent).get(composed(part), ())
            ]
        return found[0] if found else folder / path

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self.listed:
            try:
                names = sorted(path.name for path in folder.iterdir())
            except OSError:  # opening the file will report it
                names = []
            self.listed[folder] = {}
            for name in names:
                self.listed[folder].setdefault(composed(name), []).append(name)
        return self.listed[folder]


def walk_source(source: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield every folder with the sorted names of its subfolders and files, like `os.walk`.

    The caller may remove subfolders from the list to skip them.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
    """
    require_folder(source)
    for folder, subfolders, names in os.walk(source, onerror=_refuse):
        subfolders.sort()
        yield Path(folder), subfolders, sorted(names)


def require_folder(source: Path) -> None:
    """Check that a source is a folder.

    Raises:
        MissingDataError: if it is not.
    """
    try:
        is_folder = source.is_dir()
    except OSError as error:  # a name that is too long
        _refuse(error)
    if not is_folder:
        raise MissingDataError("the source must be a folder", got=source, hint="see --source")


def require_path(path: Path | None, kind: str) -> Path:
    """Return the path of a clip's file.

    Raises:
        ClipError: if the clip has none.
    """
    if path is None:
        raise ClipError(f"a clip must have a {kind} file")
    return path


def _refuse(error: OSError) -> NoReturn:
    raise MissingDataError("the source must be readable", got=error) from error
