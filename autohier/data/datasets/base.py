"""The contract of a dataset reader, and the records that readers and their callers exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autohier.data import protocols
from autohier.data.joint_layout import JointLayout
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.skeleton import Skeleton
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import ClipError
from autohier.extensions import Extension


@dataclass(frozen=True, slots=True)
class DatasetExtension(Extension):
    """One dataset that a package can read; its builder takes an `Origin` and returns a `DatasetReader`."""

    modalities: tuple[str, ...] = ("rgb",)
    """The modalities that the builder takes, the default first."""
    takes_name: bool = False
    """True if users name the dataset, because it is their own."""
    takes_poses: bool = False
    """True if its poses are the users' own, so that they may state the layout of the joints and the units."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The source that a reader is opened on.

    Attributes:
        modality: one of the modalities of its `DatasetExtension`.
        source: the folder or file; None if the user gave none, which is an error only for readers that take
            classes or splits from their source.
        name: the name that the user gave the dataset; None for the reader's own.
        settings: an instance of the extension's settings class; None if it has none.
        subject_pattern: regular expression whose group finds the subject in a clip's id; for readers of
            users' own clips.
        pose_units: the units of its poses; by default pixels or meters, and scores in 0..1.
        layout: the layout of its joints; None for the reader's own, or the one that follows from the files.
    """

    modality: str
    source: Path | None = None
    name: str | None = None
    settings: object = None
    subject_pattern: str | None = None
    pose_units: PoseUnits = NATIVE_UNITS
    layout: JointLayout | None = None


class FileEntry(Protocol):
    """Content of one clip in a file that contains many clips.

    It is sent to a worker process with its clip, so that workers need not read the whole file. It must be
    picklable.
    """

    def digest(self) -> str:
        """Return a digest of everything that a skeleton is made from."""


class DatasetWarning(NamedTuple):
    """A finding about a source that prevents nothing.

    Attributes:
        text: a sentence without its full stop.
        hint: how to fix it; empty if nothing needs fixing.
    """

    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """One clip and its files.

    Attributes:
        clip_id: unique within the dataset, taken from the file name.
        label: 0-based class.
        subject: number of the performing subject in the dataset.
        camera: number of the camera; 1 if the dataset has one.
        setup: number of the camera setup; 1 if the dataset has one.
        replication: number of the repetition by the same subject.
        video_path: the video or depth file; None if it is missing.
        skeleton_path: the skeleton file; None if it is missing.
        parts: the dataset's lists that contain the clip, e.g. ``train``; empty if subjects or cameras decide
            about the split.
        entry: the clip's content in the skeleton file, if one file contains all clips; None if the clip has
            its own.
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


class ClipReader(Protocol):
    """Reads the files of single clips; the part of a `DatasetReader` that preparing a clip needs."""

    @property
    def joint_layout(self) -> JointLayout:
        """Layout of the V joints of its skeletons: one of `LAYOUTS`, or the user's own."""

    @property
    def channels(self) -> int:
        """C of its frames: 3 or 1; 0 if there are none."""

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """Read the joints of a clip; at least one is present.

        Raises:
            ClipError: if the file is missing, empty, malformed or contains no body.
        """

    def count_frames(self, clip: ClipSource) -> int:
        """Return the number of frames that a player shows, at least 1, without decoding them if possible.

        Neither this nor `read_frames` is called if `channels` is 0.

        Raises:
            ClipError: if the file is missing, truncated or not a video.
        """

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Decode in one pass and yield the frames at ascending indices, as [H, W, C] of 0..255.

        Frames are turned and mirrored as a player shows them. Indices repeat only if the reader implements
        `TimesFrames`.

        Raises:
            ClipError: if one of them cannot be decoded.
        """


class DatasetReader(ClipReader, Protocol):
    """Reads one dataset in the file layout in which its authors publish it.

    Preparation calls `find_clips` once in the main process. It then pickles the reader to worker processes,
    each of which calls `read_skeleton`, `count_frames` and `read_frames` per clip. A reader is therefore
    small, immutable and picklable, and keeps no file open between calls. Its methods must raise no exceptions
    except those listed, on any content of the files: a `ClipError` sets one clip aside, any other exception
    stops the preparation.

    >>> reader = open_dataset("utd-mhad", modality="depth")
    >>> clip = reader.find_clips(Path("UTD-MHAD"))[0]
    >>> frames = reader.read_frames(clip, range(reader.count_frames(clip)))
    """

    @property
    def name(self) -> str:
        """Name of the dataset in stores and search spaces, e.g. ``ntu60``."""

    @property
    def modality(self) -> str:
        """Modality of the frames, e.g. ``rgb`` or ``depth``; ``skeleton`` if there are none."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One unique name per label."""

    @property
    def sided(self) -> bool:
        """True if classes have a left or right side, so that mirroring a clip may change its class."""

    @property
    def protocols(self) -> tuple[protocols.Protocol, ...]:
        """Its evaluation protocols with the published split sizes, the default first."""

    @property
    def levels(self) -> tuple[GivenSuperclasses, ...]:
        """Superclasses that its authors published, from coarse to fine; empty if there are none."""

    @property
    def warnings(self) -> tuple[DatasetWarning, ...]:
        """Findings about its source, e.g. on how it is split and on files that are skipped."""

    def find_clips(self, source: Path) -> list[ClipSource]:
        """Return all clips below a folder, at any depth, sorted by clip id; ids are unique.

        Raises:
            MissingDataError: if the folder does not exist or contains no clip of this dataset.
            InputError: if a file that describes all clips breaks a rule.
        """


def read_skeleton(reader: ClipReader, clip: ClipSource) -> Skeleton:
    """Read the joints of a clip, of which absent ones are NaN.

    Raises:
        ClipError: if the reader raises one, or no joint is present.
    """
    skeleton = reader.read_skeleton(clip).with_absent_joints_marked()
    if not skeleton.presence().any():
        raise ClipError("a skeleton must contain a joint that is present")
    return skeleton


@runtime_checkable
class TimesFrames(Protocol):
    """Reader of videos that store the time of every frame, so that frames may differ in length."""

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """Return the start of each of N frames and the end of the last, ascending seconds [N + 1].

        Returns:
            None if the video holds no times, so that its frames are equally long.

        Raises:
            ClipError: as `DatasetReader.count_frames`.
        """


def bounds_of_frames(reader: ClipReader, clip: ClipSource) -> NDArray[np.float64] | None:
    """Return the times of a clip's frames, see `TimesFrames`; None if they are equally long."""
    return reader.frame_bounds(clip) if isinstance(reader, TimesFrames) else None


@runtime_checkable
class ListsMissing(Protocol):
    """Reader of a dataset whose authors list the clips without a usable skeleton."""

    @property
    def missing_skeletons(self) -> frozenset[str]:
        """Ids of these clips, whose skeleton files are not read."""


def listed_as_missing(reader: DatasetReader) -> frozenset[str]:
    """Return the clips that a dataset's authors list as without a usable skeleton."""
    return reader.missing_skeletons if isinstance(reader, ListsMissing) else frozenset()


@runtime_checkable
class JoinsTracks(Protocol):
    """Reader of files in which a person may be tracked under several ids, one after the other."""

    @property
    def joins_tracks(self) -> Literal[True]:
        """True: it joins the tracks of one person and sets `Skeleton.is_joined`."""


@runtime_checkable
class TakesPoses(Protocol):
    """Reader of a user's own poses, in a layout and in units that the user may state."""

    @property
    def pose_units(self) -> PoseUnits:
        """Units in the files; skeletons are converted."""


def pose_units_of(reader: DatasetReader) -> PoseUnits:
    """Return the units of a reader's pose files."""
    return reader.pose_units if isinstance(reader, TakesPoses) else NATIVE_UNITS


def joint_shape_of(reader: DatasetReader) -> tuple[int, int] | None:
    """Return V and C of the poses that a reader of a user's own poses accepts; None for other readers."""
    layout = reader.joint_layout
    return (layout.num_joints, layout.num_coordinates) if isinstance(reader, TakesPoses) else None


def are_skeletons_alone(clips: Sequence[ClipSource]) -> bool:
    """Return True if some clips have a skeleton and none has a video."""
    return all(clip.video_path is None for clip in clips) and any(clip.skeleton_path for clip in clips)
