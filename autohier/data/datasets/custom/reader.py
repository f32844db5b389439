"""Reader of a user's own videos, in a table or in one folder per class, with or without poses.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.clip_ids import clip_numbers, number_values, source_name, warn_unnamed
from autohier.data.datasets.common.file_search import require_path
from autohier.data.datasets.common.poses.conversion import layout_of_poses
from autohier.data.datasets.common.poses.pose_file import read_pose_file
from autohier.data.datasets.common.subjects import SubjectNames, read_subjects
from autohier.data.datasets.common.video_files import VideoFileFrames
from autohier.data.datasets.custom.clip import CustomClip
from autohier.data.datasets.custom.files import find_custom_clips
from autohier.data.datasets.custom.hmdb_splits import read_split_lists
from autohier.data.datasets.custom.protocols import (
    class_names,
    classes_of,
    divide,
    warn_names,
)
from autohier.data.datasets.custom.skeleton_reader import SkeletonFilesReader, build_skeleton_files
from autohier.data.datasets.custom.table import TABLE
from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import is_shipped
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.protocols import Protocol
from autohier.data.skeleton import COCO_17, LAYOUTS, Skeleton
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import ClipError, InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class CustomReader(VideoFileFrames):
    """Reader of ``clips.csv``, or of ``videos/CLASS/CLIP.mp4`` with ``poses/CLASS/CLIP.npz``.

    The table has the columns path and label, and optionally subject, camera, setup, split and skeleton.
    Without a column for subjects, cameras or setups, they are parsed from the clips' names, see
    `clip_numbers`. An ``.npz`` file contains ``keypoint`` [M, T, V, 2] in pixels of the video, and
    optionally ``keypoint_score`` [M, T, V], and ``img_shape``, the height and width of the image in which
    the joints were found, if that is not the video's. Classes are treated as sided, because nothing is known
    about them.
    """

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    modality: Literal["rgb"] = "rgb"
    joint_layout: JointLayout = COCO_17
    channels: int = 3
    sided: bool = True
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()
    subject_pattern: str | None = None
    pose_units: PoseUnits = NATIVE_UNITS

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; the source is the folder that the reader was opened on."""
        names, _, clips, _ = _find(source, self.subject_pattern)
        if names != self.class_names:
            raise InputError("the source must be the folder that the reader was opened on", got=source)
        return clips

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        if clip.skeleton_path is None:
            raise ClipError(
                "a clip must have a skeleton file", hint="add one, or keep whole frames with --keep-all"
            )
        video = require_path(clip.video_path, "video")
        return read_pose_file(clip.skeleton_path, video, self.joint_layout, self.pose_units)


def build_custom(origin: Origin) -> CustomReader | SkeletonFilesReader:
    """Return the reader of one folder of videos, or of a published set of skeletons.

    Raises:
        MissingDataError: if the folder does not exist, or contains no clip.
        InputError: if its table breaks a rule, or its name cannot be a dataset's.
    """
    if origin.modality == "skeleton":
        return build_skeleton_files(origin)
    source = origin.source
    if source is None:
        raise MissingDataError("the dataset custom needs a folder of videos", hint="add --source DIR")
    name = source_name(origin.name or Path(os.path.realpath(source)).name, source)
    names, protocols, clips, warnings = _find(source, origin.subject_pattern)
    paths = [clip.skeleton_path for clip in clips if clip.skeleton_path]
    are_of_jhmdb = bool(paths) and all(path.suffix.lower() == ".mat" for path in paths)
    layout = origin.layout or (LAYOUTS["jhmdb-15"] if are_of_jhmdb else COCO_17)
    if not layout.planar and not is_shipped(layout):
        raise InputError(
            "poses of videos must be 2D (image coordinates)",
            got=f"joint layout {layout.name} with 3 dimensions",
            hint="set dimensions = 2, or prepare 3D poses as a pickle (pyskl)",
        )
    return CustomReader(
        name,
        names,
        protocols,
        joint_layout=layout_of_poses([(layout.num_joints, 2)], layout),
        warnings=warnings,
        subject_pattern=origin.subject_pattern,
        pose_units=origin.pose_units,
    )


def _read_stated(source: Path, pattern: str | None, clips: Sequence[CustomClip]) -> SubjectNames:
    """Return the subjects that the user states apart from the table of clips."""
    if not clips[0].subject:
        return read_subjects(source, pattern)
    if pattern is not None:
        raise InputError(
            f"subjects must be given once: {TABLE} has a column subject",
            got=f"--subject-pattern {pattern}",
            hint="leave out one of them",
        )
    return SubjectNames()


def _find(
    source: Path, subject_pattern: str | None
) -> tuple[tuple[str, ...], tuple[Protocol, ...], list[ClipSource], tuple[DatasetWarning, ...]]:
    clips, warnings = find_custom_clips(source)
    names = class_names(clip.label for clip in clips)
    stated = _read_stated(source, subject_pattern, clips)
    parsed = clip_numbers([clip.clip_id for clip in clips], stated)
    subjects, cameras, setups = (
        number_values([getattr(clip, column) for clip in clips])
        if getattr(clips[0], column)
        else [getattr(parsed[clip.clip_id], column) for clip in clips]
        for column in ("subject", "camera", "setup")
    )
    protocols, parts = divide(clips, subjects, cameras)
    listed = None
    if not any(clip.split for clip in clips):
        listed, more = read_split_lists(source, {clip.clip_id for clip in clips})
        warnings = (*warnings, *more)
    if listed is not None:
        protocols = listed.protocols
        parts = [listed.parts(clip.clip_id) for clip in clips]
        warnings = (*warnings, *listed.warnings)
    sources = [
        ClipSource(
            clip_id=clip.clip_id,
            label=label,
            subject=subject,
            camera=camera,
            setup=setup,
            replication=parsed[clip.clip_id].replication,
            video_path=clip.video_path,
            skeleton_path=clip.skeleton_path,
            parts=own_parts,
        )
        for clip, label, subject, camera, setup, own_parts in zip(
            clips,
            classes_of([clip.label for clip in clips], names),
            subjects,
            cameras,
            setups,
            parts,
            strict=True,
        )
    ]
    if not clips[0].subject:
        warnings = (*warnings, *warn_unnamed(parsed, stated, table=TABLE))
    return names, protocols, sources, (*warnings, *warn_names(clips))
