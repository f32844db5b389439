"""Videos whose poses are to be found, and where their pose files belong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.custom.files import VIDEO_SUFFIXES, find_custom_clips
from autohier.data.datasets.custom.table import TABLE
from autohier.data.names import composed
from autohier.errors import InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class PoseJob:
    """A video, and the file of its poses."""

    video: Path
    file: Path


def pose_folder(sources: Sequence[Path], out: Path | None) -> Path:
    """Return the folder of the pose files: ``out``, or ``poses`` in the only source.

    Raises:
        InputError: if none is given, and the sources are not one folder.
    """
    if out is None and (len(sources) != 1 or not sources[0].is_dir()):
        raise InputError("poses need a folder to be written to", hint="add --out DIR")
    return sources[0] / "poses" if out is None else out


def find_videos(sources: Sequence[Path], folder: Path) -> list[PoseJob]:
    """Return the videos of some sources, in order, with their pose files in a folder.

    A source is a video; or a folder that `prepare custom` reads, with a table or ``videos/CLASS/CLIP.mp4``,
    whose pose files get the places where it looks for them; or any other folder of videos, at any depth.

    Raises:
        InputError: if two pose files would have the same name.
        MissingDataError: if a source does not exist, or there is no video.
    """
    found = [PoseJob(video, folder / f"{name}.npz") for source in sources for name, video in _named(source)]
    if not found:
        raise MissingDataError(
            "there must be a video", got=", ".join(map(str, sources)), hint="name videos, or their folder"
        )
    file, number = Counter(each.file for each in found).most_common(1)[0]
    if number > 1:
        videos = [str(each.video) for each in found if each.file == file]
        raise InputError(
            "every video must have a pose file of its own", got=f"{file} for {' and '.join(videos[:2])}"
        )
    return found


def is_custom(source: Path) -> bool:
    """Return True for a folder in a layout of `prepare custom`."""
    return (source / TABLE).is_file() or (source / "videos").is_dir()


def _named(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield the videos of a source with the paths of their pose files, without ending."""
    if source.is_file():
        yield composed(source.stem), source
    elif not source.is_dir():
        raise MissingDataError("a video or a folder must exist", got=source, hint="correct the path")
    elif is_custom(source):
        for clip in find_custom_clips(source)[0]:
            yield clip.clip_id, clip.video_path
    else:
        for folder, subfolders, names in os.walk(source):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for path in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    yield composed(path.relative_to(source).with_suffix("").as_posix()), path
