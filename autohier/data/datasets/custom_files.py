"""The clips in a folder of a user's own: as a table lists them, or as folders per class hold them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from autohier.data.datasets.custom_clip import CustomClip
from autohier.data.datasets.custom_table import TABLE, read_table
from autohier.data.datasets.finding import require_folder
from autohier.data.datasets.reader import Remark
from autohier.errors import InputError, MissingDataError

_VIDEO_SUFFIXES: Final = frozenset(
    (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv")
)
_MOST_NAMED: Final = 3


def find_custom_clips(source: Path) -> tuple[list[CustomClip], tuple[Remark, ...]]:
    """All clips of a folder, sorted by clip id, and what of it is passed over.

    Raises:
        MissingDataError: where the folder does not exist, or holds neither a table nor videos by class.
        InputError: where the table breaks a rule, or two clips differ in nothing but their ending.
    """
    require_folder(source)
    remarks: tuple[Remark, ...] = ()
    try:
        if (source / TABLE).is_file():
            clips, remarks = read_table(source)
        else:
            clips = list(_by_class(source))
            remarks = tuple(_remark_others(source, {clip.video_path for clip in clips}))
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    if not clips:
        raise MissingDataError(
            f"a source must hold clips named like videos/CLASS/CLIP.mp4, or a {TABLE} that lists some",
            got=f"{source}, where {remarks[0].text}" if remarks else source,
            remedy=remarks[0].remedy if remarks else "check --source",
        )
    return sorted(clips, key=lambda clip: clip.clip_id), remarks


def _by_class(source: Path) -> Iterator[CustomClip]:
    found: dict[str, Path] = {}
    for path in sorted((source / "videos").glob("*/*")):
        if path.name.startswith(".") or path.suffix.lower() not in _VIDEO_SUFFIXES:
            continue
        label = path.parent.name
        clip_id = f"{label}/{path.stem}"
        if clip_id in found:
            raise InputError(
                "two clips must differ in more than their ending",
                got=f"{found[clip_id]} and {path.name}",
                remedy="rename one of them",
            )
        if clip_id.encode(errors="replace").decode() != clip_id:
            raise InputError("the names of clips must be in UTF-8", got=ascii(clip_id))
        found[clip_id] = path
        poses = source / "poses" / label / f"{path.stem}.npz"
        yield CustomClip(clip_id, label, path, poses if poses.is_file() else None)


def _remark_others(source: Path, taken: Collection[Path]) -> Iterator[Remark]:
    """On the files below ``videos`` that are no clips."""
    elsewhere: list[str] = []
    unread: list[str] = []
    for folder, subfolders, names in os.walk(source / "videos"):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if path not in taken:
                is_video = path.suffix.lower() in _VIDEO_SUFFIXES
                (elsewhere if is_video else unread).append(path.relative_to(source).as_posix())
    if elsewhere:
        yield Remark(
            f"{len(elsewhere):,} videos do not lie in videos/CLASS and are passed over: {_some(elsewhere)}",
            f"move them there, or list them in a {TABLE} of path, label and, where known, split",
        )
    if unread:
        endings = Counter(Path(name).suffix.lower() or "none" for name in unread).most_common(_MOST_NAMED)
        yield Remark(
            f"{len(unread):,} files below videos are passed over for their endings "
            f"({', '.join(f'{count:,} of {ending}' for ending, count in endings)}): {_some(unread)}",
            f"videos end with {', '.join(sorted(_VIDEO_SUFFIXES))}",
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown
