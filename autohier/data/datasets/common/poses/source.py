"""Base of readers of skeletons without videos: their properties, and that no frame can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource, DatasetWarning
from autohier.data.joint_layout import JointLayout
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.protocols import Protocol
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import ClipError


@dataclass(frozen=True, slots=True)
class SkeletonSource:
    """Properties of a source of skeletons without videos, and the part of `DatasetReader` about videos.

    A reader adds how clips are found and how a skeleton is read.
    """

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    joint_layout: JointLayout
    modality: Literal["skeleton"] = "skeleton"
    channels: int = 0
    sided: bool = False
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()
    subject_pattern: str | None = None
    pose_units: PoseUnits = NATIVE_UNITS

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`; there is no video."""
        raise ClipError("a clip must have a video file", got=clip.video_path)

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`; there is no video."""
        raise ClipError("a clip must have a video file", got=f"{clip.video_path} for frames {indices}")
