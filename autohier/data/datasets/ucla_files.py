"""Which clips of N-UCLA lie under a folder, in which of the layouts that it comes in.

============================================  =====================================
``view_1/a01_s01_e00/``                       a folder of frames: the raw layout
``a01_s01_e00_v01.avi``, ``..._c01.avi``      videos
``a01/v01_s01_e00.avi``                       videos in a folder per action
``a01_s01_e00_v01.json``                      skeletons
============================================  =====================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autohier.data.datasets.finding import walk_source

FRAME_IMAGE = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_rgb\.jpg", re.IGNORECASE)
FRAME_SKELETON = re.compile(r"frame_([0-9]{1,12})_tc_([0-9]{1,12})_skeletons\.txt", re.IGNORECASE)
"""Names of one frame's files; the first number says which frame, the second when it was taken."""

_VIEW_FOLDER = re.compile(r"view_?([0-9]{1,2})", re.IGNORECASE)
_CLIP_FOLDER = re.compile(r"a([0-9]{1,2})_s([0-9]{1,2})_e([0-9]{1,2})", re.IGNORECASE)
_CLIP_FILE = re.compile(
    r"a([0-9]{1,2})_s([0-9]{1,2})_e([0-9]{1,2})_[vc]([0-9]{1,2})\.(avi|json)", re.IGNORECASE
)
_VIDEO_OF_ACTION = re.compile(r"[vc]([0-9]{1,2})_s([0-9]{1,2})_e([0-9]{1,2})\.avi", re.IGNORECASE)
_ACTION_FOLDER = re.compile(r"(?:a|action)?[ _-]?([0-9]{1,2})(?:[^0-9].*)?", re.IGNORECASE)


class UclaNumber(NamedTuple):
    """What the name of a clip says; its text is the clip's id."""

    action: int
    subject: int
    replication: int
    view: int

    def __str__(self) -> str:
        return f"a{self.action:02}_s{self.subject:02}_e{self.replication:02}_v{self.view:02}"


@dataclass(slots=True)
class UclaFiles:
    """What lies under a folder of one clip; None of what does not."""

    folder: Path | None = None
    video: Path | None = None
    json: Path | None = None


def find_ucla_files(source: Path) -> dict[UclaNumber, UclaFiles]:
    """All clips under a folder, of any action and view; of several files of a kind the first is taken.

    Raises:
        MissingDataError: where ``source`` is not a folder that can be listed.
    """
    found: dict[UclaNumber, UclaFiles] = {}
    for folder, subfolders, names in walk_source(source):
        if view := _VIEW_FOLDER.fullmatch(folder.name):
            clips = {name: match for name in subfolders if (match := _CLIP_FOLDER.fullmatch(name))}
            for name, match in clips.items():
                action, subject, replication = map(int, match.groups())
                number = UclaNumber(action, subject, replication, int(view[1]))
                files = found.setdefault(number, UclaFiles())
                files.folder = files.folder or folder / name
            # A clip's frames are listed when it is read: there are a hundred times more of them.
            subfolders[:] = [name for name in subfolders if name not in clips]
        for name in names:
            _note_file(found, folder / name)
    return found


def _note_file(found: dict[UclaNumber, UclaFiles], path: Path) -> None:
    if match := _CLIP_FILE.fullmatch(path.name):
        *numbers, ending = match.groups()
        files = found.setdefault(UclaNumber(*map(int, numbers)), UclaFiles())
        if ending.lower() == "json":
            files.json = files.json or path
        else:
            files.video = files.video or path
    elif (match := _VIDEO_OF_ACTION.fullmatch(path.name)) and (
        action := _ACTION_FOLDER.fullmatch(path.parent.name)
    ):
        view, subject, replication = map(int, match.groups())
        files = found.setdefault(UclaNumber(int(action[1]), subject, replication, view), UclaFiles())
        files.video = files.video or path
