"""Which clips of N-UCLA lie under a folder, in which of the layouts that it comes in.

============================================  =====================================
``view_1/a01_s01_e00/``                       a folder of frames: the raw layout
``a01_s01_e00_v01.avi``, ``..._c01.avi``      videos
``a01/v01_s01_e00.avi``                       videos in a folder per action
``a01_s01_e00_v01.json``                      skeletons
============================================  =====================================

Videos and json files may be called otherwise: see `ucla_names`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.finding import walk_source
from autohier.data.datasets.ucla_names import UclaNumber, read_number

FRAME_IMAGE = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_rgb\.jpg", re.IGNORECASE)
FRAME_SKELETON = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_skeletons\.txt", re.IGNORECASE)
"""Names of one frame's files; the first number says which frame, the second when it was taken."""

_VIEW_FOLDER = re.compile(r"view_?([0-9]{1,2})", re.IGNORECASE)
_CLIP_FOLDER = re.compile(r"a([0-9]{1,2})_s([0-9]{1,2})_e([0-9]{1,2})", re.IGNORECASE)


@dataclass(slots=True)
class UclaFiles:
    """What lies under a folder of one clip; None of what does not."""

    folder: Path | None = None
    video: Path | None = None
    json: Path | None = None


@dataclass(frozen=True, slots=True)
class UclaSource:
    """What lies under a folder.

    Attributes:
        clips: their files, of several of a kind the first.
        passed_over: videos of which nobody can tell, or nobody needs to, which clip they are: their names do
            not say, or say a class or view that there is not, or what another video is already.
    """

    clips: dict[UclaNumber, UclaFiles]
    passed_over: list[Path]


def find_ucla_files(source: Path) -> UclaSource:
    """All clips under a folder.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    found = UclaSource({}, [])
    # A source may be a folder that says something; of "." and ".." only what they stand for does.
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
            # A clip's frames are listed when it is read: there are a hundred times more of them.
            subfolders[:] = [name for name in subfolders if name not in clips]
        for name in names:
            _note_file(found, folder / name, folders)
    return found


def _note_file(found: UclaSource, path: Path, folders: Sequence[str]) -> None:
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
        found.passed_over.append(path)
