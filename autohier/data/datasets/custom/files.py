"""Search for the clips of a user's own folder, which has a table or one folder per class."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.file_search import FileFinder, find_named, require_folder
from autohier.data.datasets.custom.clip import CustomClip
from autohier.data.datasets.custom.table import TABLE, read_table
from autohier.data.names import composed
from autohier.errors import InputError, MissingDataError

VIDEO_SUFFIXES: Final = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".qt", ".f4v", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".flv"),
        *(".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".m2t", ".mts", ".m2ts", ".mxf", ".dv"),
        *(".wmv", ".asf", ".ogv", ".gif"),
    )
)
JHMDB_JOINTS: Final = "joint_positions"
"""Name of JHMDB's folder of poses, and of the .mat file of each clip."""
_SKELETON_FILE: Final = re.compile(r"(a\d+_s\d+_e\d+_skeleton(3D)?|joints_s\d+_e\d+)\.txt", re.IGNORECASE)
"""Names of files that are read as skeletons without videos."""
_MAX_NAMED: Final = 3


def find_custom_clips(source: Path) -> tuple[list[CustomClip], tuple[DatasetWarning, ...]]:
    """Return all clips of a folder, sorted by clip id, and warnings about skipped files and columns.

    Raises:
        MissingDataError: if the folder does not exist, or contains neither a table nor videos by class.
        InputError: if the table breaks a rule, or two clips differ only in their endings.
    """
    require_folder(source)
    warnings: tuple[DatasetWarning, ...] = ()
    try:
        if (source / TABLE).is_file():
            clips, warnings = read_table(source)
        else:
            clips = list(_by_class(source))
            warnings = tuple(_warn_skipped(source, {clip.video_path for clip in clips}))
    except OSError as error:
        raise MissingDataError("the source must be readable", got=error) from error
    if not clips:
        raise MissingDataError(
            f"a source must contain clips named like videos/CLASS/CLIP.mp4, or a {TABLE} that lists clips",
            got=f"{source}, in which {warnings[0].text}" if warnings else source,
            hint=warnings[0].hint if warnings else _hint(source),
        )
    return sorted(clips, key=lambda clip: clip.clip_id), warnings


def _hint(source: Path) -> str:
    are_skeletons = next(find_named(source, _SKELETON_FILE), None) is not None
    return "add --modality skeleton for these skeletons" if are_skeletons else "check --source"


def videos_of(source: Path) -> Path:
    """Return the folder with a folder of videos per class: ``videos``, or that of JHMDB."""
    videos, jhmdb = source / "videos", source / "ReCompressed_Videos"
    return jhmdb if jhmdb.is_dir() and not videos.is_dir() else videos


def _by_class(source: Path) -> Iterator[CustomClip]:
    paths: dict[str, Path] = {}
    finder = FileFinder()
    for path in sorted(videos_of(source).glob("*/*")):
        is_hidden = path.name.startswith(".") or path.parent.name.startswith(".")
        if is_hidden or path.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        label, stem = composed(path.parent.name), composed(path.stem)
        clip_id = f"{label}/{stem}"
        if clip_id in paths:
            raise InputError(
                "two clips must differ in more than their endings",
                got=f"{paths[clip_id]} and {path.name}",
                hint="rename one of them; letters composed of two characters count as one",
            )
        if clip_id.encode(errors="replace").decode() != clip_id:
            raise InputError("the names of clips must be UTF-8", got=ascii(clip_id))
        paths[clip_id] = path
        kinds = (Path("poses", label, f"{stem}.npz"), Path(JHMDB_JOINTS, label, stem, f"{JHMDB_JOINTS}.mat"))
        poses = next((found for kind in kinds if (found := finder.find(source, kind)).is_file()), None)
        yield CustomClip(clip_id, label, path, poses)


def _warn_skipped(source: Path, used: Collection[Path]) -> Iterator[DatasetWarning]:
    """Warn about files below ``videos`` that are not clips."""
    elsewhere: list[str] = []
    other: list[str] = []
    for folder, subfolders, names in os.walk(videos_of(source)):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if path not in used:
                is_video = path.suffix.lower() in VIDEO_SUFFIXES
                (elsewhere if is_video else other).append(path.relative_to(source).as_posix())
    if elsewhere:
        yield DatasetWarning(
            f"{len(elsewhere):,} videos are skipped because they are not in videos/CLASS: {_some(elsewhere)}",
            f"move them there, or list them in a {TABLE} with the columns path, label and, if known, split",
        )
    if other:
        endings = Counter(Path(name).suffix.lower() or "none" for name in other).most_common(_MAX_NAMED)
        yield DatasetWarning(
            f"{len(other):,} files below videos are skipped because their endings are not those of videos "
            f"({', '.join(f'{count:,} of {ending}' for ending, count in endings)}): {_some(other)}",
            f"videos end with {', '.join(sorted(VIDEO_SUFFIXES))}",
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMED])
    return f"{shown}, ..." if len(names) > _MAX_NAMED else shown
