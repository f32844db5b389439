"""One clip of a published set of skeletons without videos, and what is found in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autohier.data.datasets.base import DatasetWarning, FileEntry
from autohier.data.joint_layout import JointLayout


@dataclass(frozen=True, slots=True)
class SkeletonClip:
    """One clip, before its class is numbered.

    Attributes:
        label: name of its class.
        entry: where the clip is in its file; None if the file holds nothing else.
    """

    clip_id: str
    label: str
    subject: int
    replication: int
    path: Path
    entry: FileEntry | None = None


@dataclass(frozen=True, slots=True)
class SkeletonSet:
    """The clips in a folder.

    Attributes:
        clips: sorted by clip id.
        class_names: names of all classes that occur, in their order.
        layout: layout of the joints.
        num_coordinates: 3 for joints in space, 2 for joints in the image.
        warnings: on files that are skipped.
    """

    clips: tuple[SkeletonClip, ...]
    class_names: tuple[str, ...]
    layout: JointLayout
    num_coordinates: int
    warnings: tuple[DatasetWarning, ...] = ()
