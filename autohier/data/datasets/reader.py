"""The contract of a dataset reader, and the clips that it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autohier.data import protocols
from autohier.data.levels import GivenLevel
from autohier.data.skeleton import JointLayout, Skeleton


class FileEntry(Protocol):
    """What a file of many clips holds of one of them.

    It goes to a worker process with its clip, so that workers need not read the whole file: it pickles.
    """

    def digest(self) -> str:
        """A digest that changes with anything that a skeleton is made of."""


class Remark(NamedTuple):
    """What a user should hear of a source, though it can be read.

    Attributes:
        text: a sentence.
        remedy: what to do about it; empty where nothing is amiss.
    """

    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """One clip as the dataset's files hold it.

    Attributes:
        clip_id: unique within the dataset, taken from the file name.
        label: 0-based class.
        subject: who acts, as numbered by the dataset.
        camera: which camera filmed; 1 where the dataset has one.
        setup: where the cameras stood; 1 where the dataset has one.
        replication: which repetition by the same subject.
        video_path: the video or depth file; None where it is missing.
        skeleton_path: the skeleton file; None where it is missing.
        parts: the lists of the dataset that name it, e.g. ``train``; none where subjects or cameras decide.
        entry: what the skeleton file holds of it, where one file is that of all clips; None where it has its
            own.
    """

    clip_id: str
    label: int
    subject: int
    camera: int
    setup: int
    replication: int
    video_path: Path | None
    skeleton_path: Path | None
    parts: tuple[str, ...] = ()
    entry: FileEntry | None = field(default=None, compare=False, repr=False)


class DatasetReader(Protocol):
    """Reads one dataset in the layout in which its authors publish it.

    Preparation calls `find_clips` once in the driver, then the other three per clip in worker
    processes: a reader is small, immutable and picklable, and keeps no file open between calls.

    >>> reader = open_dataset("utd-mhad", modality="depth")
    >>> clip = reader.find_clips(Path("UTD-MHAD"))[0]
    >>> frames = reader.read_frames(clip, range(reader.count_frames(clip)))
    """

    @property
    def name(self) -> str:
        """The name that opens it, e.g. ``ntu60``."""

    @property
    def modality(self) -> str:
        """What the frames show: ``rgb`` or ``depth``; ``skeleton`` where there are none."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per label."""

    @property
    def joint_layout(self) -> JointLayout:
        """What the V joints of its skeletons are."""

    @property
    def channels(self) -> int:
        """C of its frames: 3 or 1; 0 where there are none."""

    @property
    def sided(self) -> bool:
        """Whether classes have a left or right side, so that a mirrored clip may change its class."""

    @property
    def protocols(self) -> tuple[protocols.Protocol, ...]:
        """Its protocols with the split sizes published for them, the default first."""

    @property
    def levels(self) -> tuple[GivenLevel, ...]:
        """Superclasses that its authors published, coarse ones first; none where there are none."""

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """On how its source is divided, and on what of it is passed over; none where that is as it seems."""

    def find_clips(self, source: Path) -> list[ClipSource]:
        """All clips under a folder, at any depth, sorted by clip id.

        Raises:
            MissingDataError: where the folder does not exist or holds no clip of this dataset.
        """

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """The joints of a clip; at least one is finite.

        Raises:
            ClipError: where the file is missing, empty, malformed or holds no body.
        """

    def count_frames(self, clip: ClipSource) -> int:
        """How many frames the video holds, at least 1; found without decoding where that is possible.

        Neither this nor `read_frames` is called where there are no frames.

        Raises:
            ClipError: where the file is missing, cut short or not a video.
        """

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Decode in one pass and yield the frames at ascending indices, as [H, W, C] of 0..255.

        Raises:
            ClipError: where one of them cannot be decoded.
        """


@runtime_checkable
class ListsMissing(Protocol):
    """A reader of a dataset whose authors list clips as without a usable skeleton."""

    @property
    def missing_skeletons(self) -> frozenset[str]:
        """Their ids; a skeleton file of theirs is not read."""


def listed_as_missing(reader: DatasetReader) -> frozenset[str]:
    """The clips that a dataset's authors list as without a usable skeleton; none where there is no list."""
    return reader.missing_skeletons if isinstance(reader, ListsMissing) else frozenset()


def are_skeletons_alone(clips: Sequence[ClipSource]) -> bool:
    """Whether some clips have a skeleton and none has a video."""
    return all(clip.video_path is None for clip in clips) and any(clip.skeleton_path for clip in clips)
