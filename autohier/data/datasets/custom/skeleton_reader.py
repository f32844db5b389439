"""Reader of published sets of skeletons without videos, recognized by the names of their files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.base import ClipSource, Origin
from autohier.data.datasets.common.clip_ids import number_values, source_name
from autohier.data.datasets.common.default_split import default_split
from autohier.data.datasets.common.file_search import require_folder, require_path
from autohier.data.datasets.common.poses.conversion import layout_of_poses
from autohier.data.datasets.common.poses.source import SkeletonSource
from autohier.data.datasets.common.subjects import read_subjects
from autohier.data.datasets.custom.msr import find_msr, read_msr
from autohier.data.datasets.custom.skeleton_clip import SkeletonSet
from autohier.data.datasets.custom.utkinect import Span, find_utkinect, read_utkinect
from autohier.data.protocols import Protocol
from autohier.data.skeleton import Skeleton
from autohier.errors import InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class SkeletonFilesReader(SkeletonSource):
    """Reader of the skeletons of MSR-Action3D and UTKinect-Action3D.

    Classes and subjects follow from names. Odd subjects train and even ones test, as is usual for these sets.
    Classes are treated as sided, because nothing is known about them.
    """

    sided: bool = True

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; the source is the folder that the reader was opened on."""
        found = find_skeletons(source)
        if found.class_names != self.class_names:
            raise InputError("the source must be the folder that the reader was opened on", got=source)
        return _divide(found, source, self.subject_pattern)[1]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        path = require_path(clip.skeleton_path, "skeleton")
        if isinstance(clip.entry, Span):
            return read_utkinect(clip.entry, self.joint_layout, self.pose_units)
        return read_msr(path, self.joint_layout, self.pose_units)


def build_skeleton_files(origin: Origin) -> SkeletonFilesReader:
    """Return the reader of one folder.

    Raises:
        MissingDataError: if the folder does not exist, or contains no clip of a known set.
        InputError: if a file that describes all clips breaks a rule, or the stated layout does not fit.
    """
    source = origin.source
    if source is None:
        raise MissingDataError("the dataset custom needs a folder of skeletons", hint="add --source DIR")
    name = source_name(origin.name or Path(os.path.realpath(source)).name, source)
    found = find_skeletons(source)
    rule, _ = _divide(found, source, origin.subject_pattern)
    shape = (found.layout.num_joints, found.num_coordinates)
    return SkeletonFilesReader(
        name,
        found.class_names,
        (rule,),
        layout_of_poses([shape], origin.layout or found.layout),
        warnings=found.warnings,
        subject_pattern=origin.subject_pattern,
        pose_units=origin.pose_units,
    )


def find_skeletons(source: Path) -> SkeletonSet:
    """Return the clips in a folder of skeletons, by the names of its files.

    Raises:
        MissingDataError: if the folder does not exist, or contains no clip of a known set.
        InputError: if a file that describes all clips breaks a rule.
    """
    require_folder(source)
    found = find_msr(source) or find_utkinect(source)
    if found is None:
        raise MissingDataError(
            "a source of skeletons must contain files named like a01_s01_e01_skeleton3D.txt or "
            "joints_s01_e01.txt",
            got=source,
            hint="check --source; poses of videos are read without --modality, and pickles by pyskl",
        )
    return found


def _divide(found: SkeletonSet, source: Path, pattern: str | None) -> tuple[Protocol, list[ClipSource]]:
    """Return the protocol and the clips: odd subjects train, unless the user states subjects."""
    stated = read_subjects(source, pattern)
    subjects = [clip.subject for clip in found.clips]
    if stated.is_given:
        subjects = number_values(list(stated.of([clip.clip_id for clip in found.clips]).values()))
    rule, parts = default_split([clip.label for clip in found.clips], subjects, are_stated=True)
    odd, even = (tuple(sorted({one for one in subjects if one % 2 == rest})) for rest in (1, 0))
    if odd and even and not stated.is_given:
        rule = Protocol("cross-subject", "subject", odd, even)
    numbers = {name: number for number, name in enumerate(found.class_names)}
    clips = [
        ClipSource(
            clip_id=clip.clip_id,
            label=numbers[clip.label],
            subject=subject,
            camera=1,
            setup=1,
            replication=clip.replication,
            video_path=None,
            skeleton_path=clip.path,
            parts=own_parts,
            entry=clip.entry,
        )
        for clip, subject, own_parts in zip(found.clips, subjects, parts, strict=True)
    ]
    return rule, clips
