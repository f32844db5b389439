"""A user's own videos: a table of clips, or a folder per class; with poses beside them, or without.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.custom_files import find_custom_clips
from autohier.data.datasets.custom_protocols import (
    class_names,
    classes_of,
    divide,
    number_values,
    remark_splits,
)
from autohier.data.datasets.finding import require_path
from autohier.data.datasets.naming import clip_numbers, remark_unnamed, source_name
from autohier.data.datasets.npz_file import read_npz_arrays
from autohier.data.datasets.poses import skeleton_of_poses
from autohier.data.datasets.reader import ClipSource, Remark
from autohier.data.decoding import count_frames, decode_frames, video_size
from autohier.data.levels import GivenLevel
from autohier.data.protocols import Protocol
from autohier.data.skeleton import COCO_17, JointLayout, Skeleton
from autohier.errors import ClipError, InputError, MissingDataError

_MAX_POSE_BYTES: Final = 2**26
"""Of one array: as many as the joints of one person take in four hours."""


@dataclass(frozen=True, slots=True)
class CustomReader:
    """Reads ``clips.csv``, or ``videos/CLASS/CLIP.mp4`` with ``poses/CLASS/CLIP.npz``.

    The table has the columns path and label, and, where known, subject, camera, setup, split and skeleton.
    Who acts before which camera is else told by the clips' names, as far as `clip_numbers` knows them. An
    ``.npz`` holds ``keypoint`` [M, T, 17, 2] in the video's pixels, and ``keypoint_score`` [M, T, 17] where
    joints have one. Classes count as sided, as nothing is known of them.
    """

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    modality: Literal["rgb"] = "rgb"
    joint_layout: JointLayout = COCO_17
    channels: int = 3
    sided: bool = True
    levels: tuple[GivenLevel, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; the source is the folder that the reader was opened on."""
        names, _, clips, _ = _find(source)
        if names != self.class_names:
            raise InputError("the source must be the folder that the reader was opened on", got=source)
        return clips

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        if clip.skeleton_path is None:
            raise ClipError("a clip must have a skeleton file", remedy="or keep such clips whole: --keep-all")
        size_px = video_size(require_path(clip.video_path, "video"))
        arrays = read_npz_arrays(
            clip.skeleton_path, ("keypoint", "keypoint_score"), max_bytes=_MAX_POSE_BYTES
        )
        return skeleton_of_poses(
            arrays.get("keypoint"), arrays.get("keypoint_score"), size_px, self.joint_layout
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        return count_frames(require_path(clip.video_path, "video"))

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        return decode_frames(require_path(clip.video_path, "video"), indices)


def custom_reader(source: Path | None, stored_as: str | None) -> CustomReader:
    """The reader of one folder.

    Args:
        source: the folder.
        stored_as: what the dataset is called; None for the folder's own name.

    Raises:
        MissingDataError: where there is no folder, or no clip in it.
        InputError: where its table breaks a rule.
    """
    if source is None:
        raise MissingDataError("custom is prepared from a folder of videos", remedy="add --source DIR")
    names, protocols, _, remarks = _find(source)
    name = source_name(stored_as or source.resolve().name, source)
    return CustomReader(name, names, protocols, remarks=remarks)


def _find(
    source: Path,
) -> tuple[tuple[str, ...], tuple[Protocol, ...], list[ClipSource], tuple[Remark, ...]]:
    clips, remarks = find_custom_clips(source)
    names = class_names(clip.label for clip in clips)
    named = clip_numbers(clip.clip_id for clip in clips)
    subjects, cameras, setups = (
        number_values([getattr(clip, column) for clip in clips])
        if getattr(clips[0], column)
        else [getattr(named[clip.clip_id], column) for clip in clips]
        for column in ("subject", "camera", "setup")
    )
    protocols, parts = divide(clips, subjects, cameras)
    sources = [
        ClipSource(
            clip_id=clip.clip_id,
            label=label,
            subject=subject,
            camera=camera,
            setup=setup,
            replication=named[clip.clip_id].replication,
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
        remarks = (*remarks, *remark_unnamed(named))
    return names, protocols, sources, (*remarks, *remark_splits(clips))
