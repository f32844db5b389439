"""What is told by names: what a source is called, and who acts in a clip."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from autohier.data.datasets.reader import Remark
from autohier.data.protocols import PROTOCOLS
from autohier.data.store.paths import plain_name
from autohier.errors import InputError

_STORE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_NTU = re.compile(r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<replication>\d{3})A\d{3}")
_NTU_SUBJECT = re.compile(r"(?<![A-Za-z])P(?P<subject>\d{3})(?!\d)")
_UCLA = re.compile(r"a\d+_s(?P<subject>\d{1,6})_e(?P<replication>\d{1,6})_v(?P<camera>\d{1,6})")
_UCF = re.compile(r"_g(?P<subject>\d{1,6})_c(?P<replication>\d{1,6})(?!\d)")
_UCLA_SUBJECT = re.compile(r"_s(?P<subject>\d{1,6})_")


class ClipNumbers(NamedTuple):
    """Who acts in a clip, before which camera, where it stood, which repetition it is."""

    subject: int
    camera: int
    setup: int
    replication: int


NOBODY = ClipNumbers(0, 1, 1, 1)
"""Of a clip that has no name."""


def source_name(stored_as: str | None, source: Path) -> str:
    """What a dataset is called whose source does not say: as the user says, or else as its source is called.

    Raises:
        InputError: where that cannot be a folder's name, or is a dataset's that has its own reader.
    """
    # Unlike Path.resolve it takes a link that leads to itself, which opening will refuse.
    name = plain_name(stored_as or Path(os.path.realpath(source)).stem)
    if not _STORE_NAME.fullmatch(name):
        raise InputError(
            "a dataset's name must be of letters, digits, '-' and '.'", got=repr(name), remedy="add --name"
        )
    if name in PROTOCOLS:
        raise InputError(
            "a dataset must not be named like one that has its own files",
            got=repr(name),
            remedy="choose another --name",
        )
    return name


def clip_numbers(clip_ids: Iterable[str]) -> dict[str, ClipNumbers]:
    """Who acts in each clip, as far as the clips' names tell.

    NTU's and N-UCLA's names number subjects, UCF's (``v_CLASS_g01_c01``) groups of clips of one scene, which
    stand for subjects; such numbers are kept where all names have one. FineGym's begin with a video, whose
    clips count as one subject's; any other clip counts as a subject's of its own. Those are numbered from 1
    in the order of their names.

    Args:
        clip_ids: names, which may lie in folders.
    """
    groups: dict[str, tuple[int, str]] = {}
    others: dict[str, dict[str, int]] = {}
    for clip_id in clip_ids:
        match = next((found for found in _matches(clip_id) if found), None)
        if match:
            others[clip_id] = {name: int(number) for name, number in match.groupdict().items()}
            groups[clip_id] = (others[clip_id]["subject"], "")
        else:
            groups[clip_id] = (-1, _video_of_cut(clip_id) or clip_id)
    subjects = _number(groups)
    return {
        clip_id: ClipNumbers(subject, **{"camera": 1, "setup": 1, "replication": 1} | _rest(others, clip_id))
        for clip_id, subject in subjects.items()
    }


def remark_unnamed(clip_ids: Collection[str]) -> tuple[Remark, ...]:
    """What a user should hear where clips' names do not tell who acts in them."""
    unnamed = sorted(
        clip_id for clip_id in clip_ids if not any(_matches(clip_id)) and not _video_of_cut(clip_id)
    )
    if not unnamed:
        return ()
    text = (
        f"the names of {len(unnamed)} of {len(clip_ids)} clips do not tell who acts, e.g. {unnamed[0]}; each "
        "counts as a person of its own, so that who validates may also train"
    )
    return (Remark(text, "name them like NTU's (S001C001P001R001A001), or list subjects in clips.csv"),)


def _video_of_cut(clip_id: str) -> str:
    """The video that a clip of FineGym's was cut out of; empty for others."""
    video, is_cut, _ = clip_id.rpartition("/")[2].partition("_E_")
    return video if is_cut else ""


def _matches(clip_id: str) -> Iterable[re.Match[str] | None]:
    return (pattern.search(clip_id) for pattern in (_NTU, _UCLA, _UCF, _NTU_SUBJECT, _UCLA_SUBJECT))


def _rest(others: Mapping[str, Mapping[str, int]], clip_id: str) -> dict[str, int]:
    return {name: number for name, number in others.get(clip_id, {}).items() if name != "subject"}


def _number(groups: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    if all(number >= 0 for number, _ in groups.values()):
        return {clip_id: number for clip_id, (number, _) in groups.items()}
    order = {group: number for number, group in enumerate(sorted(set(groups.values())), start=1)}
    return {clip_id: order[group] for clip_id, group in groups.items()}
