"""Reader of the pose pickles that PYSKL and MMAction2 train on: one file with all clips and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.base import ClipSource, Origin
from autohier.data.datasets.common.clip_ids import (
    UNNAMED,
    ClipNumbers,
    clip_numbers,
    source_name,
    warn_unnamed,
)
from autohier.data.datasets.common.default_split import default_split
from autohier.data.datasets.common.poses.conversion import layout_of_poses
from autohier.data.datasets.common.poses.source import SkeletonSource
from autohier.data.datasets.common.subjects import SubjectNames, read_subjects
from autohier.data.datasets.pyskl.annotations import Annotation
from autohier.data.datasets.pyskl.file import PoseFile, read_pose_file
from autohier.data.protocols import Protocol
from autohier.data.skeleton import Skeleton
from autohier.errors import ClipError, InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class PysklReader(SkeletonSource):
    """Reader of ``dict(split={name: [frame_dir]}, annotations=[dict(frame_dir, label, keypoint, ...)])``.

    The file's labels are numbered in their order, so they may start at 1 and have gaps; a class is named
    after its label in the file. Protocols follow from the names of its lists, see `list_protocols`; without
    lists, from its clips' subjects, see `default_split`. An
    annotation that breaks a rule is a clip that cannot be prepared. Classes are not sided, as in PYSKL, whose
    recipes mirror every dataset.
    """

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; the source is the file that the reader was opened on."""
        file = read_pose_file(source)
        if _class_names(file) != self.class_names:
            raise InputError("the source must be the file that the reader was opened on", got=source)
        stated = read_subjects(source, self.subject_pattern)
        numbers = _numbers(file, stated)
        _, parts = _divide(file, numbers, are_stated=stated.is_given)
        classes = {label: number for number, label in enumerate(file.labels)}
        return [
            ClipSource(
                clip_id=clip_id,
                label=0 if annotation.label is None else classes[annotation.label],
                **numbers.get(clip_id, UNNAMED)._asdict(),
                video_path=None,
                skeleton_path=source,
                parts=parts.get(clip_id, ()) if file.listed is None else file.listed.parts(clip_id),
                entry=annotation,
            )
            for clip_id, annotation in sorted(file.annotations.items())
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        if not isinstance(clip.entry, Annotation):
            raise ClipError("a clip must have a skeleton file with its annotation", got=clip.clip_id)
        return clip.entry.skeleton(self.joint_layout, self.pose_units)


def build_pyskl(origin: Origin) -> PysklReader:
    """Return the reader of one file.

    Raises:
        MissingDataError: if the file does not exist, or contains no annotation with keypoints.
        InputError: if it is not in PYSKL's format, its name cannot be a dataset's, or its joints have another
            layout than the stated one, or none that is known.
    """
    source = origin.source
    if source is None:
        raise MissingDataError("the dataset pyskl needs a source file", hint="add --source FILE.pkl")
    name = source_name(origin.name, source)
    file = read_pose_file(source)
    stated = read_subjects(source, origin.subject_pattern)
    protocols, _ = _divide(file, _numbers(file, stated), are_stated=stated.is_given)
    warnings = (*file.warnings, *warn_unnamed(file.annotations, stated))
    return PysklReader(
        name,
        _class_names(file),
        protocols,
        layout_of_poses(file.joint_shapes, origin.layout),
        warnings=warnings,
        subject_pattern=origin.subject_pattern,
        pose_units=origin.pose_units,
    )


def _class_names(file: PoseFile) -> tuple[str, ...]:
    return tuple(f"class {label}" for label in file.labels)


def _numbers(file: PoseFile, stated: SubjectNames) -> dict[str, ClipNumbers]:
    """Return the numbers of every annotation that has an id."""
    named = [clip_id for clip_id, annotation in file.annotations.items() if annotation.fault is None]
    return clip_numbers(named, stated)


def _divide(
    file: PoseFile, numbers: Mapping[str, ClipNumbers], *, are_stated: bool
) -> tuple[tuple[Protocol, ...], Mapping[str, tuple[str, ...]]]:
    """Return the protocols, and without lists in the file the parts of each clip; see `default_split`."""
    if file.listed is not None:
        return file.listed.protocols, {}
    ids = sorted(numbers)
    labels = [str(file.annotations[clip_id].label) for clip_id in ids]
    rule, parts = default_split(labels, [numbers[clip_id].subject for clip_id in ids], are_stated=are_stated)
    return (rule,), dict(zip(ids, parts, strict=True))
