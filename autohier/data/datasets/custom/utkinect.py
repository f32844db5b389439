"""Skeletons of UTKinect-Action3D: ``joints_s01_e01.txt`` with several actions, and their spans of frames.

A row of a skeleton file is the number of a frame, then x, y and z of 20 joints in meters. A frame may occur
in several rows. ``actionLabel.txt`` has a line ``s01_e01`` per file, followed by lines ``walk: 252 390``, the
first and the last frame of an action; ``NaN`` stands for an action that was not recorded.

Shape letters: T frames, V joints.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.file_search import find_named
from autohier.data.datasets.common.number_text import read_number_rows
from autohier.data.datasets.common.poses.conversion import skeleton_of_poses
from autohier.data.datasets.custom.skeleton_clip import SkeletonClip, SkeletonSet
from autohier.data.formats.text_list import read_list_file
from autohier.data.joint_layout import JointLayout
from autohier.data.pose_units import PoseUnits
from autohier.data.skeleton import KINECT_V1_20, Skeleton
from autohier.digest import digest, digest_file
from autohier.errors import ClipError, InputError

_JOINTS = re.compile(r"joints_(s(\d{1,3})_e(\d{1,3}))\.txt", re.IGNORECASE | re.ASCII)
_LABELS = re.compile(r"actionLabel\.txt", re.IGNORECASE)
_TAKE = re.compile(r"s\d{1,3}_e\d{1,3}", re.IGNORECASE | re.ASCII)
_ACTION = re.compile(r"(\w+)\s*:\s*(\d{1,9}|nan)[\s,]+(\d{1,9}|nan)", re.IGNORECASE | re.ASCII)
_NUM_JOINTS: Final = 20
_FORMAT: Final = "a line is s01_e01, or an action with its first and last frame, walk: 252 390"


@dataclass(frozen=True, slots=True)
class Span:
    """First and last frame of a clip, by the numbers in its file. Implements `FileEntry`."""

    path: Path
    first: int
    last: int

    def digest(self) -> str:
        """See `FileEntry.digest`."""
        try:
            content = digest_file(self.path)
        except OSError:  # reading the clip reports the error
            content = ""
        return digest([content, self.first, self.last])


def find_utkinect(source: Path) -> SkeletonSet | None:
    """Return the clips below a folder; None if it contains no skeleton file of this name.

    Raises:
        MissingDataError: if ``source`` is not a folder, or cannot be listed.
        InputError: if the file of labels is missing or breaks the format.
    """
    files: dict[str, tuple[re.Match[str], Path]] = {}
    for match, path in find_named(source, _JOINTS):
        files.setdefault(match[1].lower(), (match, path))
    if not files:
        return None
    tables = [path for _, path in find_named(source, _LABELS)]
    if not tables:
        raise InputError(
            "joints_s01_e01.txt and its siblings need actionLabel.txt, which gives the frames of each action",
            got=source,
            hint="copy it into the source",
        )
    spans = _read_labels(tables[0])
    clips = sorted(_clips(files, spans), key=lambda clip: clip.clip_id)
    if not clips:
        raise InputError(
            f"{tables[0]} must give the frames of actions in the skeleton files",
            got=f"{len(spans)} takes, none of which has a file",
        )
    found = {clip.label for clip in clips}
    names = dict.fromkeys(action for actions in spans.values() for action in actions)
    warnings = tuple(_warn(files.keys(), spans))
    return SkeletonSet(
        tuple(clips), tuple(name for name in names if name in found), KINECT_V1_20, 3, warnings
    )


def read_utkinect(span: Span, layout: JointLayout, units: PoseUnits) -> Skeleton:
    """Return the skeleton of one clip; of several rows of a frame, the first.

    Raises:
        ClipError: if the file breaks the format, has no frame of the clip, or all joints are absent.
    """
    rows = read_number_rows(span.path, 1 + 3 * _NUM_JOINTS)
    numbers, order = np.unique(rows[:, 0], return_index=True)
    inside = order[(numbers >= span.first) & (numbers <= span.last)]
    if not len(inside):
        raise ClipError(
            f"a skeleton file must contain frames {span.first} to {span.last} of its clip",
            got=f"frames {numbers[0]:g} to {numbers[-1]:g}",
        )
    joints_TV3 = rows[inside, 1:].reshape(-1, _NUM_JOINTS, 3).astype(np.float32)
    return skeleton_of_poses(joints_TV3[None], None, None, layout, units)


def _clips(
    files: Mapping[str, tuple[re.Match[str], Path]], spans: Mapping[str, Mapping[str, tuple[int, int] | None]]
) -> Iterator[SkeletonClip]:
    for take, (match, path) in files.items():
        for action, span in spans.get(take, {}).items():
            if span is not None:
                entry = Span(path, *span)
                yield SkeletonClip(f"{take}_{action}", action, int(match[2]), int(match[3]), path, entry)


def _read_labels(path: Path) -> dict[str, dict[str, tuple[int, int] | None]]:
    """Return the frames of each action of each take; None if it was not recorded."""
    spans: dict[str, dict[str, tuple[int, int] | None]] = {}
    own: dict[str, tuple[int, int] | None] | None = None
    for number, line in enumerate(read_list_file(path), start=1):
        match = _ACTION.fullmatch(line)
        if _TAKE.fullmatch(line):
            own = spans.setdefault(line.lower(), {})
        elif match and own is not None:
            if match[1] in own:
                _refuse(path, number, f"{line}, a second time")
            is_recorded = match[2].isdigit() and match[3].isdigit()
            own[match[1]] = (int(match[2]), int(match[3])) if is_recorded else None
        elif line:
            _refuse(path, number, line)
    return spans


def _refuse(path: Path, number: int, got: str) -> NoReturn:
    raise InputError(f"{path} line {number} must give the frames of an action", got=got, hint=_FORMAT)


def _warn(
    takes: Collection[str], spans: Mapping[str, Mapping[str, tuple[int, int] | None]]
) -> Iterator[DatasetWarning]:
    missing = [f"{take}_{action}" for take, own in spans.items() for action, span in own.items() if not span]
    if missing:
        text = (
            f"actionLabel.txt gives no frames of {len(missing)} clips, which are skipped, e.g. {missing[0]}"
        )
        yield DatasetWarning(text)
    if unlabeled := sorted(take for take in takes if take not in spans):
        text = f"actionLabel.txt does not list {len(unlabeled)} files, which are skipped, e.g. {unlabeled[0]}"
        yield DatasetWarning(text)
    if absent := sorted(take for take in spans if take not in takes):
        text = f"{len(absent)} takes in actionLabel.txt have no skeleton file, e.g. joints_{absent[0]}.txt"
        yield DatasetWarning(text, "their clips are skipped")
