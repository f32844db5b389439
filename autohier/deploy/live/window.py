"""Window of the last frames, as a clip that a network reads.

Legend: M persons, T frames, V joints, H W pixels, N frames.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.common.poses.conversion import skeleton_of_poses
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton
from autohier.deploy.model_file import ExportedNetwork
from autohier.errors import ClipError, InputError
from autohier.poses.estimator import FoundPerson
from autohier.poses.tracking import follow
from autohier.text import plural

_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class WindowLength:
    """Length of a window: frames of the source, also those that were dropped, or seconds."""

    frames: int | None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> WindowLength:
        """Read a number of frames, or seconds with an s: "60" or "2.5s".

        Raises:
            InputError: if it is neither.
        """
        if re.fullmatch(r"0*[1-9]\d*", text):
            return cls(int(text))
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?s", text)
        if match is None or float(match[1]) == 0:
            raise InputError(
                "--window must be a number of frames or seconds", got=text, hint="write e.g. 60 or 2.5s"
            )
        return cls(None, float(match[1]))

    def __str__(self) -> str:
        """Return the length in words."""
        return plural(self.frames, "frame") if self.frames is not None else f"{self.seconds:g} s"


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """One frame of a window."""

    number: int
    start_s: float
    end_s: float
    size_px: tuple[int, int]
    """Width and height of the picture."""
    picture_HW3: NDArray[np.uint8] | None
    """None if no network reads pictures."""
    persons: tuple[FoundPerson, ...]


@dataclass(slots=True)
class Window:
    """Ring buffer of the last frames."""

    length: WindowLength
    frames: deque[SeenFrame] = field(default_factory=deque)
    is_full: bool = False
    """True once the frames that were seen have the whole length."""
    _first: SeenFrame | None = None

    def add(self, frame: SeenFrame) -> None:
        """Add the next frame and remove those that are too old."""
        self._first = self._first or frame
        self.frames.append(frame)
        self.is_full = self.is_full or self._spans(self._first)
        while self._is_too_old(self.frames[0]):
            self.frames.popleft()

    def _spans(self, first: SeenFrame) -> bool:
        last = self.frames[-1]
        if self.length.frames is not None:
            return last.number - first.number + 1 >= self.length.frames
        return last.end_s - first.start_s >= (self.length.seconds or 0) - _ROUNDING_S

    def _is_too_old(self, frame: SeenFrame) -> bool:
        last = self.frames[-1]
        if self.length.frames is not None:
            return frame.number <= last.number - self.length.frames
        # The newest frame stays, however long it lasts.
        return frame is not last and frame.start_s < last.end_s - (self.length.seconds or 0) - _ROUNDING_S


def reads_pictures(network: ExportedNetwork) -> bool:
    """Return True if a network reads frames or parts of them, alone or with joints."""
    return network.clips.input not in {"skeletons", "heatmaps"}


@dataclass(frozen=True, slots=True)
class WindowReader:
    """Reader of a window as one clip. Implements `ClipReader`.

    Pictures are left out for a network that reads joints alone, though its clips were prepared with pictures.
    Its poses are those that `autohier poses` writes of these frames, read like a pose file.
    """

    network: ExportedNetwork
    frames: Sequence[SeenFrame]
    layout: JointLayout | None
    """Layout of the persons' joints; None without a pose estimator."""
    max_persons: int

    @property
    def joint_layout(self) -> JointLayout:
        """See `ClipReader.joint_layout`."""
        return self.network.prepared.layout

    @property
    def channels(self) -> int:
        """See `ClipReader.channels`."""
        return self.network.prepared.channels if reads_pictures(self.network) else 0

    def read_skeleton(self, clip: ClipSource) -> Skeleton:  # noqa: ARG002
        """See `ClipReader.read_skeleton`."""
        if self.layout is None:
            raise ClipError("a clip must have poses", hint="name a pose model, e.g. with --blazepose")
        persons = [frame.persons for frame in self.frames]
        poses = follow(persons, num_joints=self.layout.num_joints, max_persons=self.max_persons)
        if not len(poses.keypoint_MTV2):
            raise ClipError("a window must show a person", got=f"none in {plural(len(persons), 'frame')}")
        size_px = self.frames[-1].size_px
        return skeleton_of_poses(poses.keypoint_MTV2, poses.keypoint_score_MTV, size_px, self.layout)

    def count_frames(self, clip: ClipSource) -> int:  # noqa: ARG002
        """See `ClipReader.count_frames`."""
        return len(self.frames)

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64]:  # noqa: ARG002
        """See `TimesFrames.frame_bounds`."""
        first_s = self.frames[0].start_s
        starts = [frame.start_s - first_s for frame in self.frames]
        return np.array([*starts, self.frames[-1].end_s - first_s])

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:  # noqa: ARG002
        """See `ClipReader.read_frames`."""
        for index in indices:
            picture_HW3 = self.frames[index].picture_HW3
            if picture_HW3 is not None:
                yield picture_HW3
