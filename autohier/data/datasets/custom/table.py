"""Parser of ``clips.csv``, the table in which users list their own videos."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.file_search import FileFinder
from autohier.data.datasets.custom.clip import CustomClip
from autohier.data.names import composed
from autohier.errors import InputError, one_line

TABLE: Final = "clips.csv"
_REQUIRED: Final = ("path", "label")
_NUMBERED: Final = ("subject", "camera", "setup")
_COLUMNS: Final = (*_REQUIRED, *_NUMBERED, "split", "skeleton")
_SPLITS: Final = ("train", "val", "test")
_SLASHES: Final = "write the path with / instead of \\"
_MIN_SIMILARITY: Final = 0.75  # that of "lables" and "label"


def read_table(source: Path) -> tuple[list[CustomClip], tuple[DatasetWarning, ...]]:
    """Return the clips in a folder's table, in its order, and warnings about skipped columns.

    Column names are not case-sensitive. Unknown columns are skipped, unless their names look misspelt. Paths
    are absolute or relative to the folder of the table.

    Raises:
        InputError: if the table breaks a rule; the message contains the line.
        OSError: if it cannot be read.
    """
    table = source / TABLE
    try:
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        _Place(table, line).refuse("a table must be UTF-8 text", error.reason)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(_Place(table, 1), next(rows, []))
        numbered = ((_Place(table, rows.line_num), row) for row in rows if row)
        clips = list(_clips(_Files.of(source), numbered, columns))
    except csv.Error as error:
        _Place(table, rows.line_num).refuse("a table must be CSV", error)
    others = [one_line(name) for name in columns if name and name not in _COLUMNS]
    if not others:
        return clips, ()
    text = f"the columns {', '.join(others)} of {TABLE} are skipped; known columns are {', '.join(_COLUMNS)}"
    return clips, (DatasetWarning(text),)


@dataclass(frozen=True, slots=True)
class _Place:
    """Line of a table, for messages."""

    table: Path
    line: int

    def refuse(self, rule: str, got: object, hint: str = "") -> NoReturn:
        raise InputError(f"{self.table} line {self.line}: {rule}", got=got, hint=hint)


@dataclass(frozen=True, slots=True)
class _Files:
    """Files that a table may list; ``roots`` are the absolute and the resolved path of its folder."""

    source: Path
    roots: tuple[Path, Path]
    finder: FileFinder = field(default_factory=FileFinder)

    @classmethod
    def of(cls, source: Path) -> _Files:
        return cls(source, (source.absolute(), source.resolve()))

    def locate(self, text: str, place: _Place) -> tuple[Path, PurePosixPath]:
        """Return a file and its path relative to the folder of the table, or to the root if it is outside.

        The file may be spelled with other compositions of the same letters; see `composed`.
        """
        path = PurePosixPath(text)
        is_outside = path.is_absolute()
        for root in self.roots:
            if path.is_relative_to(root):
                path, is_outside = path.relative_to(root), False
        # FFmpeg would read a prefix with a colon as a protocol.
        if ".." in path.parts or not path.name or "\0" in text or ":" in path.parts[0]:
            rule = "a path must be absolute, or relative to the folder of the table and inside it"
            place.refuse(rule, repr(text), _SLASHES if "\\" in text else "")
        if not is_outside:
            found = self.finder.find(self.source, path)
            if "\\" in text and not found.exists():
                place.refuse("a path must separate folders by /", repr(text), _SLASHES)
            return found, path
        found = self.finder.find(Path("/"), path.relative_to("/"))
        if not found.is_file():
            place.refuse(
                "an absolute path must point to an existing file",
                repr(text),
                "mount its disk, or write the path relative to the folder of the table",
            )
        return found, path.relative_to("/")


def _columns(place: _Place, header: Sequence[str]) -> list[str]:
    """Return the names of all columns; empty for a column without a name."""
    names = [cell.strip().lower() for cell in header]
    if len(names) == 1 and (mark := next((mark for mark in ";\t" if mark in names[0]), None)):
        place.refuse("cells must be separated by commas", repr(mark), "save the table with commas")
    known = f"known columns are {', '.join(_COLUMNS)}"
    for name in _COLUMNS:
        if names.count(name) > 1:
            place.refuse("the header must contain each column once", f"{name} {names.count(name)} times")
    for name in filter(None, names):
        near = difflib.get_close_matches(name[:100], _COLUMNS, n=1, cutoff=_MIN_SIMILARITY)
        if name not in _COLUMNS and near and near[0] not in names:
            place.refuse("the header must consist of known columns", repr(name), f"did you mean {near[0]}?")
    for name in _REQUIRED:
        if name not in names:
            place.refuse(
                f"the header must contain the column {name}", ", ".join(header) or "no column", known
            )
    return names


def _clips(
    files: _Files, rows: Iterable[tuple[_Place, list[str]]], columns: Sequence[str]
) -> Iterator[CustomClip]:
    listed: dict[str, tuple[Path, str]] = {}
    for place, row in rows:
        if len(row) < len(columns) or any(cell.strip() for cell in row[len(columns) :]):
            place.refuse("a row must have one cell per column", row)
        cells = {name: composed(cell.strip()) for name, cell in zip(columns, row, strict=False)}
        clip = _clip(files, cells, place)
        if clip.clip_id in listed:
            path, text = listed[clip.clip_id]
            if path == clip.video_path:
                place.refuse("a clip must be listed once", cells["path"])
            both = f"{text} and {cells['path']}, both clip {clip.clip_id}"
            place.refuse("two clips must differ in more than their endings", both, "rename one of them")
        listed[clip.clip_id] = clip.video_path, cells["path"]
        yield clip


def _clip(files: _Files, cells: Mapping[str, str], place: _Place) -> CustomClip:
    if cells.get(""):
        place.refuse("a cell must belong to a column with a name", cells[""])
    for name in (*_REQUIRED, *_NUMBERED):
        if not cells.get(name, "-"):
            place.refuse(f"{name} must not be empty", None)
    video_path, path = files.locate(cells["path"], place)
    clip_id = path.with_suffix("").as_posix()
    return CustomClip(
        clip_id=clip_id,
        label=cells["label"],
        video_path=video_path,
        skeleton_path=_poses(files, clip_id, cells.get("skeleton"), place),
        split=_split(cells.get("split", ""), place),
        **{name: cells.get(name, "") for name in _NUMBERED},
    )


def _poses(files: _Files, clip_id: str, cell: str | None, place: _Place) -> Path | None:
    """Return the pose file that the table names; without a column for it, the one in the folder ``poses``."""
    if cell is not None:
        return files.locate(cell, place)[0] if cell else None
    found = files.finder.find(files.source, PurePosixPath("poses", f"{clip_id}.npz"))
    return found if found.is_file() else None


def _split(text: str, place: _Place) -> str:
    name = text.lower()
    if name and name not in _SPLITS:
        (nearest,) = difflib.get_close_matches(name, _SPLITS, n=1, cutoff=0.0)
        hint = f"did you mean {nearest}? Leave it empty if the clip should not be used"
        place.refuse("split must be train, val or test", repr(text), hint)
    return name
