"""Search for the files of N-UCLA clips, in any of the layouts in which the dataset is distributed.

============================================  =====================================
``view_1/a01_s01_e00/``                       a folder of frames: the raw layout
``a01_s01_e00_v01.avi``, ``..._c01.avi``      videos
``a01/v01_s01_e00.avi``                       videos in a folder per action
``a01_s01_e00_v01.json``                      skeletons
============================================  =====================================

Videos and JSON files may have other names: see `names`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.common.file_search import walk_source
from autohier.data.datasets.n_ucla.names import UclaNumber, read_number

FRAME_IMAGE = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_rgb\.jpg", re.IGNORECASE)
FRAME_SKELETON = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_skeletons\.txt", re.IGNORECASE)
"""Names of one frame's files: the number of the frame, then its time."""

_VIEW_FOLDER = re.compile(r"view_?([0-9]{1,2})", re.IGNORECASE)
_CLIP_FOLDER = re.compile(r"a([0-9]{1,2})_s([0-9]{1,2})_e([0-9]{1,2})", re.IGNORECASE)


@dataclass(slots=True)
class UclaFiles:
    """Files of one clip; None if missing."""

    folder: Path | None = None
    video: Path | None = None
    json: Path | None = None


@dataclass(frozen=True, slots=True)
class UclaSource:
    """Files of a source.

    Attributes:
        clips: files by clip; the first of several of one kind.
        skipped: videos whose names identify no clip, a clip of an unknown class or view, or a clip that
            already has a video.
    """

    clips: dict[UclaNumber, UclaFiles]
    skipped: list[Path]


def find_ucla_files(source: Path) -> UclaSource:
    """Find the files of all clips below a folder.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
    """
    found = UclaSource({}, [])
    # The name of the source itself may be that of a view or an action; "." and ".." are resolved for it.
    top = source.name if source.name not in {"", ".."} else Path(os.path.realpath(source)).name
    for folder, subfolders, names in walk_source(source):
        folders = [*reversed(folder.relative_to(source).parts), top]
        if view := _VIEW_FOLDER.fullmatch(folders[0]):
            clips = {name: match for name in subfolders if (match := _CLIP_FOLDER.fullmatch(name))}
            for name, match in clips.items():
                number = UclaNumber(*map(int, (*match.groups(), view[1])))
                if number.is_known:
                    files = found.clips.setdefault(number, UclaFiles())
                    files.folder = files.folder or folder / name
            # Frames are listed when a clip is read: there are a hundred times more of them.
            subfolders[:] = [name for name in subfolders if name not in clips]
        for name in names:
            _add_file(found, folder / name, folders)
    return found


def _add_file(found: UclaSource, path: Path, folders: Sequence[str]) -> None:
    ending = path.suffix.lower()
    if ending not in {".avi", ".json"}:
        return
    number = read_number(path.stem, folders)
    files = found.clips.setdefault(number, UclaFiles()) if number and number.is_known else None
    if ending == ".json":
        if files is not None:
            files.json = files.json or path
    elif files is not None and files.video is None:
        files.video = path
    else:
        found.skipped.append(path)
