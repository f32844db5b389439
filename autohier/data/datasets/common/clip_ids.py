"""Names of sources, and the subjects, cameras and setups that clip ids contain."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.spellings import warn_spellings
from autohier.data.datasets.common.subjects import SUBJECTS, SubjectNames
from autohier.data.names import plain_name
from autohier.data.protocols import PROTOCOLS
from autohier.errors import InputError

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_STORE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_NTU = re.compile(r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<replication>\d{3})A\d{3}")
_NTU_SUBJECT = re.compile(r"(?<![A-Za-z])P(?P<subject>\d{3})(?!\d)")
_UCLA = re.compile(r"a\d+_s(?P<subject>\d{1,6})_e(?P<replication>\d{1,6})_v(?P<camera>\d{1,6})")
_UCF = re.compile(r"_g(?P<subject>\d{1,6})_c(?P<replication>\d{1,6})(?!\d)")
_UCLA_SUBJECT = re.compile(r"(?:^|[_/])s(?P<subject>\d{1,6})(?=[_./]|$)")
# HMDB51 and JHMDB: VIDEO_CLASS_BODY_MOTION_npN_VIEW_QUALITY_N, e.g. ..._u_nm_np1_ba_goo_0.
_HMDB = re.compile(r"(?P<video>[^/]+)_[a-z]_(?:nm|cm)_np\d+_[a-z]{2}_[a-z]{3}_\d+$")
# Kinetics: the video of YouTube, and the start and end in it, in seconds.
_KINETICS = re.compile(r"(?P<video>[\w-]{11})_\d{6}_\d{6}$")


class ClipNumbers(NamedTuple):
    """Numbers of a clip's subject, camera, setup and replication."""

    subject: int
    camera: int
    setup: int
    replication: int


_NOT_STATED = SubjectNames()
UNNAMED = ClipNumbers(0, 1, 1, 1)
"""Numbers of a clip whose file gives it no usable id."""


def source_name(stored_as: str | None, source: Path) -> str:
    """Return the name of a user's own dataset: the given one, or else that of its source.

    Raises:
        InputError: if the name cannot be a folder's name, or belongs to a dataset that has its own reader.
    """
    # Unlike Path.resolve, realpath accepts a link to itself; opening the source will refuse it.
    name = plain_name(stored_as or Path(os.path.realpath(source)).stem)
    if not _STORE_NAME.fullmatch(name):
        similar = re.sub(r"[^a-z0-9.]+", "-", name).strip("-.")
        raise InputError(
            "a dataset's name must begin with a letter or a digit and hold only letters, digits, '-' and '.'",
            got=repr(name),
            hint=f"write --name {similar}" if _STORE_NAME.fullmatch(similar) else "add --name",
        )
    if name in PROTOCOLS:
        raise InputError(
            "a dataset must not have the name of a published dataset",
            got=repr(name),
            hint="choose another --name",
        )
    return name


def clip_numbers(clip_ids: Collection[str], stated: SubjectNames = _NOT_STATED) -> dict[str, ClipNumbers]:
    """Parse the subject, camera, setup and replication of each clip from its id.

    NTU's and N-UCLA's ids number subjects, as do those that begin with ``s01_``. UCF's (``v_CLASS_g01_c01``)
    number groups of clips of one scene, which are treated as subjects. These numbers are kept if all ids have
    one. The ids of FineGym, HMDB51, JHMDB and Kinetics name the video that a clip is cut from, which is
    treated as one subject. Any other clip is treated as its own subject. If some ids have no number, all
    subjects are numbered from 1 in the order of their ids.

    Args:
        clip_ids: ids, which may contain folders.
        stated: the subjects that the user states, which decide then.

    Raises:
        InputError: if the user states them for some of the clips only.
    """
    groups: dict[str, tuple[int, str]] = {}
    others: dict[str, dict[str, int]] = {}
    for clip_id in clip_ids:
        match = next(filter(None, _matches(clip_id)), None)
        if match:
            others[clip_id] = {name: int(number) for name, number in match.groupdict().items()}
            groups[clip_id] = (others[clip_id]["subject"], "")
        else:
            groups[clip_id] = (-1, _video_of_cut(clip_id) or clip_id)
    subjects = _number(groups)
    if stated.is_given:
        names = stated.of(clip_ids)
        subjects = dict(zip(names, number_values(list(names.values())), strict=True))
    return {
        clip_id: ClipNumbers(subject, **{"camera": 1, "setup": 1, "replication": 1} | _rest(others, clip_id))
        for clip_id, subject in subjects.items()
    }


def warn_unnamed(
    clip_ids: Collection[str], stated: SubjectNames = _NOT_STATED, *, table: str = ""
) -> tuple[DatasetWarning, ...]:
    """Warn if clip ids contain no subject and the user states none, or subjects that differ in case only.

    Args:
        clip_ids: ids of all clips.
        stated: the subjects that the user states.
        table: name of the source's table, which may have a column for subjects; empty if there is none.
    """
    if stated.is_given:
        return tuple(warn_spellings("subjects", map(stated.find, clip_ids)))
    unnamed = sorted(
        clip_id for clip_id in clip_ids if not any(_matches(clip_id)) and not _video_of_cut(clip_id)
    )
    if not unnamed:
        return ()
    text = (
        f"the names of {len(unnamed)} of {len(clip_ids)} clips contain no subject, e.g. {unnamed[0]}; each "
        "of these clips counts as its own subject, and splits are random within each class: takes of one "
        "person or one video may both train and validate, which makes accuracies optimistic"
    )
    column = f", add a column subject to {table}" if table else ""
    hint = f"list them in {SUBJECTS} with the columns clip and subject{column}, or add --subject-pattern"
    return (DatasetWarning(text, hint),)


def number_values(values: Sequence[str]) -> list[int]:
    """Return the values if all are whole numbers; else number the distinct texts from 1."""
    if all(_WHOLE.fullmatch(value) for value in values):
        return [int(value) for value in values]
    order = {value: number for number, value in enumerate(sorted(set(values)), start=1)}
    return [order[value] for value in values]


def _video_of_cut(clip_id: str) -> str:
    """Return the video that a clip of FineGym, HMDB51, JHMDB or Kinetics is cut from; empty for others."""
    name = clip_id.rpartition("/")[2]
    video, is_cut, _ = name.partition("_E_")
    if is_cut:
        return video
    match = _HMDB.fullmatch(name) or _KINETICS.fullmatch(name)
    return match["video"] if match else ""


def _matches(clip_id: str) -> Iterable[re.Match[str] | None]:
    return (pattern.search(clip_id) for pattern in (_NTU, _UCLA, _UCF, _NTU_SUBJECT, _UCLA_SUBJECT))


def _rest(others: Mapping[str, Mapping[str, int]], clip_id: str) -> dict[str, int]:
    return {name: number for name, number in others.get(clip_id, {}).items() if name != "subject"}


def _number(groups: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    if all(number >= 0 for number, _ in groups.values()):
        return {clip_id: number for clip_id, (number, _) in groups.items()}
    order = {group: number for number, group in enumerate(sorted(set(groups.values())), start=1)}
    return {clip_id: order[group] for clip_id, group in groups.items()}
