"""Poses in the pickle that PYSKL and MMAction2 train on: one file for all clips, with its own lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.naming import NOBODY, clip_numbers, remark_unnamed, source_name
from autohier.data.datasets.pyskl_annotations import Annotation
from autohier.data.datasets.pyskl_file import PoseFile, read_pose_file
from autohier.data.datasets.reader import ClipSource, Remark
from autohier.data.levels import GivenLevel
from autohier.data.protocols import Protocol
from autohier.data.skeleton import JointLayout, Skeleton
from autohier.errors import ClipError, InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class PysklReader:
    """Reads ``dict(split={name: [frame_dir]}, annotations=[dict(frame_dir, label, keypoint, ...)])``.

    The file's labels become classes in their order, so that they may begin at 1 and leave numbers out; a
    class is named after the file's own label. Protocols follow from the names of its lists as
    `list_protocols` says: a list without its counterpart has all other clips for one. An annotation that
    cannot be used is a clip that cannot be prepared. Classes count as without sides, as in PYSKL, whose
    recipes mirror every dataset.
    """

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    joint_layout: JointLayout
    modality: Literal["skeleton"] = "skeleton"
    channels: int = 0
    sided: bool = False
    levels: tuple[GivenLevel, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; the source is the file that the reader was opened on."""
        file = read_pose_file(source)
        if _class_names(file) != self.class_names:
            raise InputError("the source must be the file that the reader was opened on", got=source)
        named = (clip_id for clip_id, annotation in file.annotations.items() if annotation.fault is None)
        numbers = defaultdict(lambda: NOBODY, clip_numbers(named))
        classes = {label: number for number, label in enumerate(file.labels)}
        return [
            ClipSource(
                clip_id=clip_id,
                label=0 if annotation.label is None else classes[annotation.label],
                **numbers[clip_id]._asdict(),
                video_path=None,
                skeleton_path=source,
                parts=file.listed.parts(clip_id),
                entry=annotation,
            )
            for clip_id, annotation in sorted(file.annotations.items())
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        if not isinstance(clip.entry, Annotation):
            raise ClipError("a clip must have a skeleton file with its annotation", got=clip.clip_id)
        return clip.entry.skeleton(self.joint_layout)

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`; there is no video."""
        raise ClipError("a clip must have a video file", got=clip.video_path)

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`; there is no video."""
        raise ClipError("a clip must have a video file", got=f"{clip.video_path} for frames {indices}")


def pyskl_reader(source: Path | None, stored_as: str | None) -> PysklReader:
    """The reader of one file.

    Args:
        source: the pickle.
        stored_as: what the dataset is called; None for the file's own name.

    Raises:
        MissingDataError: where there is no file, or no annotation with keypoints in it.
        InputError: where it is not what PYSKL reads.
    """
    if source is None:
        raise MissingDataError("pyskl is prepared from its own file", remedy="add --source FILE.pkl")
    name = source_name(stored_as, source)
    file = read_pose_file(source)
    remarks = (*file.remarks, *remark_unnamed(file.annotations))
    return PysklReader(name, _class_names(file), file.listed.protocols, file.layout, remarks=remarks)


def _class_names(file: PoseFile) -> tuple[str, ...]:
    return tuple(f"class {label}" for label in file.labels)
