"""``clips.csv``: the table in which a user lists videos of their own, and what is said of its faults."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

from autohier.data.datasets.custom_clip import CustomClip
from autohier.data.datasets.reader import Remark
from autohier.errors import InputError, one_line

TABLE: Final = "clips.csv"
_REQUIRED: Final = ("path", "label")
_NUMBERED: Final = ("subject", "camera", "setup")
_COLUMNS: Final = (*_REQUIRED, *_NUMBERED, "split", "skeleton")
_SPLITS: Final = ("train", "val", "test")
_ALIKE: Final = 0.75  # "lables" is as near to label


def read_table(source: Path) -> tuple[list[CustomClip], tuple[Remark, ...]]:
    """The clips that the table in a folder lists, in its order, and what of it is passed over.

    Names of columns may be in capitals, and columns of other names are passed over unless they look like one
    that is misspelt. Paths lead from the folder of the table, or are absolute.

    Raises:
        InputError: where the table breaks a rule; its line is named.
        OSError: where it cannot be read.
    """
    table = source / TABLE
    try:
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        _Place(table, line).refuse("a table must be in UTF-8", error.reason)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(_Place(table, 1), next(rows, []))
        numbered = ((_Place(table, rows.line_num), row) for row in rows if row)
        clips = list(_clips(_Files.of(source), numbered, columns))
    except csv.Error as error:
        _Place(table, rows.line_num).refuse("a table must be of CSV", error)
    others = [one_line(name) for name in columns if name and name not in _COLUMNS]
    if not others:
        return clips, ()
    text = f"of {TABLE} the columns {', '.join(others)} are passed over"
    return clips, (Remark(f"{text}; known ones are {', '.join(_COLUMNS)}"),)


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a table."""

    table: Path
    line: int

    def refuse(self, rule: str, got: object, remedy: str = "") -> NoReturn:
        raise InputError(f"{self.table} line {self.line}: {rule}", got=got, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that a table may name; ``roots`` are its folder as it is called and as it is."""

    source: Path
    roots: tuple[Path, Path]

    @classmethod
    def of(cls, source: Path) -> _Files:
        return cls(source, (source.absolute(), source.resolve()))

    def locate(self, text: str, place: _Place) -> tuple[Path, PurePosixPath]:
        """A file, and its path from the folder of the table on, or from the root where it is outside."""
        path = PurePosixPath(text)
        is_outside = path.is_absolute()
        for root in self.roots:
            if path.is_relative_to(root):
                path, is_outside = path.relative_to(root), False
        # FFmpeg takes what stands before a colon for a protocol.
        if ".." in path.parts or not path.name or "\0" in text or ":" in path.parts[0]:
            place.refuse(
                "a path must lead from the folder of the table to a file in it, or be absolute", repr(text)
            )
        if not is_outside:
            return self.source / path, path
        if not Path(path).is_file():
            place.refuse(
                "an absolute path must lead to a file that is there",
                repr(text),
                "mount its disk, or write the path from the folder of the table on",
            )
        return Path(path), path.relative_to("/")


def _columns(place: _Place, header: Sequence[str]) -> list[str]:
    """The names of the columns, those of unknown ones too; empty where a column has none."""
    names = [cell.strip().lower() for cell in header]
    if len(names) == 1 and (mark := next((mark for mark in ";\t" if mark in names[0]), None)):
        place.refuse("cells must be parted by commas", repr(mark), "save the table with commas")
    known = f"known ones are {', '.join(_COLUMNS)}"
    for name in _COLUMNS:
        if names.count(name) > 1:
            place.refuse(
                f"the header must name each column once, and names {name} {names.count(name)} times", None
            )
    for name in filter(None, names):
        near = difflib.get_close_matches(name[:100], _COLUMNS, n=1, cutoff=_ALIKE)
        if name not in _COLUMNS and near and near[0] not in names:
            place.refuse("the header must be of known columns", repr(name), f"did you mean {near[0]}?")
    for name in _REQUIRED:
        if name not in names:
            place.refuse(f"the header must have the column {name}", ", ".join(header) or "no column", known)
    return names


def _clips(
    files: _Files, rows: Iterable[tuple[_Place, list[str]]], columns: Sequence[str]
) -> Iterator[CustomClip]:
    listed: dict[str, tuple[Path, str]] = {}
    for place, row in rows:
        if len(row) < len(columns) or any(cell.strip() for cell in row[len(columns) :]):
            place.refuse("a row must have as many cells as the header", row)
        cells = {name: cell.strip() for name, cell in zip(columns, row, strict=False)}
        clip = _clip(files, cells, place)
        if clip.clip_id in listed:
            path, text = listed[clip.clip_id]
            if path == clip.video_path:
                place.refuse("a clip must be listed once", cells["path"])
            both = f"{text} and {cells['path']}, both clip {clip.clip_id}"
            place.refuse("two clips must differ in more than their ending", both, "rename one of them")
        listed[clip.clip_id] = clip.video_path, cells["path"]
        yield clip


def _clip(files: _Files, cells: Mapping[str, str], place: _Place) -> CustomClip:
    if cells.get(""):
        place.refuse("a cell must stand below the name of a column", cells[""])
    for name in (*_REQUIRED, *_NUMBERED):
        if not cells.get(name, "-"):
            place.refuse(f"{name} must not be empty", None)
    video_path, path = files.locate(cells["path"], place)
    poses = cells.get("skeleton")
    return CustomClip(
        clip_id=path.with_suffix("").as_posix(),
        label=cells["label"],
        video_path=video_path,
        skeleton_path=files.locate(poses, place)[0] if poses else None,
        split=_split(cells.get("split", ""), place),
        **{name: cells.get(name, "") for name in _NUMBERED},
    )


def _split(text: str, place: _Place) -> str:
    name = text.lower()
    if name and name not in _SPLITS:
        (nearest,) = difflib.get_close_matches(name, _SPLITS, n=1, cutoff=0.0)
        remedy = f"did you mean {nearest}? Leave it empty where a clip neither trains nor tests"
        place.refuse("split must be train, val or test", repr(text), remedy)
    return name
