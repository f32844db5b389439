"""The clips in a folder of a user's own: as a table lists them, or as folders per class hold them."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from autohier.data.datasets.finding import require_folder
from autohier.errors import InputError, MissingDataError

TABLE: Final = "clips.csv"
_REQUIRED: Final = ("path", "label")
_NUMBERED: Final = ("subject", "camera", "setup")
_COLUMNS: Final = (*_REQUIRED, *_NUMBERED, "split", "skeleton")
_SPLITS: Final = ("train", "val", "test")
_VIDEO_SUFFIXES: Final = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm"})


@dataclass(frozen=True, slots=True)
class CustomClip:
    """One clip, before its labels are numbered.

    Attributes:
        clip_id: path of the video within the folder of videos, without its ending.
        label: name or number of its class.
        subject: who acts; empty where that is not said, as are camera, setup and split.
        split: ``train``, ``val`` or ``test``.
    """

    clip_id: str
    label: str
    video_path: Path
    skeleton_path: Path | None = None
    subject: str = ""
    camera: str = ""
    setup: str = ""
    split: str = ""


def find_custom_clips(source: Path) -> list[CustomClip]:
    """All clips of a folder, sorted by clip id.

    Raises:
        MissingDataError: where the folder does not exist, or holds neither a table nor videos by class.
        InputError: where the table breaks a rule, or two clips differ in nothing but their ending.
    """
    require_folder(source)
    try:
        clips = list(_listed(source) if (source / TABLE).is_file() else _by_class(source))
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    if not clips:
        raise MissingDataError(
            f"a source must hold clips named like videos/CLASS/CLIP.mp4, or a {TABLE} that lists some",
            got=source,
            remedy="check --source",
        )
    return sorted(clips, key=lambda clip: clip.clip_id)


def _by_class(source: Path) -> Iterator[CustomClip]:
    ids: set[str] = set()
    for path in sorted((source / "videos").glob("*/*")):
        if path.name.startswith(".") or path.suffix.lower() not in _VIDEO_SUFFIXES:
            continue
        label = path.parent.name
        clip_id = f"{label}/{path.stem}"
        if clip_id in ids:
            raise InputError("two clips must differ in more than their ending", got=path)
        if clip_id.encode(errors="replace").decode() != clip_id:
            raise InputError("the names of clips must be in UTF-8", got=ascii(clip_id))
        ids.add(clip_id)
        poses = source / "poses" / label / f"{path.stem}.npz"
        yield CustomClip(clip_id, label, path, poses if poses.is_file() else None)


def _listed(source: Path) -> Iterator[CustomClip]:
    table = source / TABLE
    ids: set[str] = set()
    try:
        text = table.read_text("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        _check_header(table, rows.fieldnames or ())
        for row in rows:
            clip = _clip_of_row(source, row, f"{table} line {rows.line_num}")
            if clip.clip_id in ids:
                raise _fault(f"{table} line {rows.line_num}", "a clip must be listed once", row["path"])
            ids.add(clip.clip_id)
            yield clip
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _fault(f"{table} line {line}", "a table must be in UTF-8", error.reason) from error
    except csv.Error as error:
        raise _fault(f"{table} line {rows.reader.line_num}", "a table must be of CSV", error) from error


def _check_header(table: Path, header: Sequence[str]) -> None:
    missing = [name for name in _REQUIRED if name not in header]
    unknown = [name for name in header if name not in _COLUMNS]
    if missing or unknown or len(set(header)) < len(header):
        raise _fault(
            f"{table} line 1",
            f"the header must be of {', '.join(_COLUMNS)}, the first two at least",
            list(header),
        )


def _clip_of_row(source: Path, row: dict[str, str], place: str) -> CustomClip:
    if None in row or None in row.values():
        raise _fault(place, "a row must have as many cells as the header", list(row.values()))
    cells = {name: cell.strip() for name, cell in row.items()}
    for name in (*_REQUIRED, *_NUMBERED):
        if not cells.get(name, "-"):
            raise _fault(place, f"{name} must not be empty", None)
    path = _inside(cells["path"], place)
    poses = cells.get("skeleton")
    return CustomClip(
        clip_id=path.with_suffix("").as_posix(),
        label=cells["label"],
        video_path=source / path,
        skeleton_path=source / _inside(poses, place) if poses else None,
        split=_split(cells.get("split", ""), place),
        **{name: cells.get(name, "") for name in _NUMBERED},
    )


def _inside(text: str, place: str) -> PurePosixPath:
    path = PurePosixPath(text)
    leaves = path.is_absolute() or ".." in path.parts or not path.name or "\0" in text
    # FFmpeg takes what stands before a colon for a protocol.
    if leaves or ":" in path.parts[0]:
        raise _fault(place, "a path must lead from the folder of the table to a file in it", repr(text))
    return path


def _split(text: str, place: str) -> str:
    name = text.lower()
    if name and name not in _SPLITS:
        (nearest,) = difflib.get_close_matches(name, _SPLITS, n=1, cutoff=0.0)
        remedy = f"did you mean {nearest}? Leave it empty where a clip neither trains nor tests"
        raise _fault(place, "split must be train, val or test", repr(text), remedy=remedy)
    return name


def _fault(place: str, rule: str, got: object, *, remedy: str = "") -> InputError:
    return InputError(f"{place}: {rule}", got=got, remedy=remedy)
