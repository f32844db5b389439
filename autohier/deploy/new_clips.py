"""New clips for an exported model: single files, arrays, or a folder in the layout of its dataset.

Shape letters: M persons, T frames, V joints, C coordinates, H W pixels.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipReader, ClipSource, bounds_of_frames
from autohier.data.datasets.common.file_search import require_path
from autohier.data.datasets.common.poses.pose_file import read_pose_file
from autohier.data.datasets.common.video_files import VideoFileFrames
from autohier.data.datasets.custom.files import VIDEO_SUFFIXES
from autohier.data.datasets.registry import find_dataset, open_dataset
from autohier.data.joint_layout import JointLayout
from autohier.data.names import composed
from autohier.data.pose_units import PoseUnits
from autohier.data.skeleton import Skeleton
from autohier.deploy.model_file import ClipFormat
from autohier.errors import ClipError, InputError, MissingDataError

_OWN_POSES: Final = ".npz"
_POSE_SUFFIXES: Final = (_OWN_POSES, ".skeleton")
_CLIP_SUFFIXES: Final = (*_POSE_SUFFIXES, ".mat")
_UNKNOWN: Final = -1
"""Class, subject, camera and setup of a new clip."""


@dataclass(frozen=True, slots=True)
class FileReader(VideoFileFrames):
    """Reader of single files. Implements `ClipReader`.

    Poses in ``.npz`` files and videos are read like those of a user's own dataset; other files, such as depth
    maps and skeletons of a camera, like those of the dataset that the model was trained on.
    """

    prepared: ClipFormat
    dataset: ClipReader | None
    """Reader of the model's dataset; None if that is a user's own."""

    @property
    def joint_layout(self) -> JointLayout:
        """See `ClipReader.joint_layout`."""
        return self.prepared.layout

    @property
    def channels(self) -> int:
        """See `ClipReader.channels`."""
        return self.prepared.channels

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `ClipReader.read_skeleton`."""
        if clip.skeleton_path is None:
            raise ClipError("a clip must have poses", hint="name their folder with --poses")
        path = require_path(clip.skeleton_path, "skeleton")
        if path.suffix != _OWN_POSES and self.dataset is not None:
            return self.dataset.read_skeleton(clip)
        layout = None if self.channels else self.joint_layout  # frames need a box only
        units = PoseUnits.parse(self.prepared.options.pose_units)
        return read_pose_file(path, clip.video_path, layout, units)

    def count_frames(self, clip: ClipSource) -> int:
        """See `ClipReader.count_frames`."""
        dataset = self._reader_of_frames(clip)
        return VideoFileFrames.count_frames(self, clip) if dataset is None else dataset.count_frames(clip)

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """See `TimesFrames.frame_bounds`."""
        dataset = self._reader_of_frames(clip)
        return (
            VideoFileFrames.frame_bounds(self, clip) if dataset is None else bounds_of_frames(dataset, clip)
        )

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `ClipReader.read_frames`."""
        dataset = self._reader_of_frames(clip)
        if dataset is not None:
            return dataset.read_frames(clip, indices)
        return VideoFileFrames.read_frames(self, clip, indices)

    def _reader_of_frames(self, clip: ClipSource) -> ClipReader | None:
        """Return the dataset's reader for folders of frames and files that hold no video; else None."""
        path = require_path(clip.video_path, "video")
        if path.suffix in _POSE_SUFFIXES:
            raise ClipError(
                "a clip of a model that reads frames must be a video",
                got=f"the pose file {path}",
                hint="give the video, and the folder of its poses with --poses",
            )
        return self.dataset if path.is_dir() or self.channels == 1 else None


@dataclass(frozen=True, slots=True)
class ClipArrays:
    """One clip in memory, with the arrays that the model reads."""

    frames_THWC: NDArray[np.uint8] | None = None
    """All frames of the video, 0..255; C is 3 for RGB and 1 for depth."""
    pixels_MTV2: NDArray[np.floating] | None = None
    """Joints in pixels of the image, in the model's joint layout; NaN or (0, 0) where a joint is absent."""
    joints_MTV3_m: NDArray[np.floating] | None = None
    """Joints in camera coordinates in meters, in the model's joint layout; NaN where a joint is absent."""
    scores_MTV: NDArray[np.floating] | None = None
    """Scores of the joints in 0..1."""
    image_size_px: tuple[int, int] | None = None
    """Width and height of the image of the joints; by default that of the frames."""

    def skeleton(self, layout: JointLayout) -> Skeleton:
        """Return the skeleton that the arrays describe.

        Raises:
            ClipError: if there are no joints, or an array has another shape.
        """
        given = self.pixels_MTV2 if self.pixels_MTV2 is not None else self.joints_MTV3_m
        if given is None:
            raise ClipError("a clip must have poses", hint="give pixels_MTV2 or joints_MTV3_m")
        shape_MTV = (*given.shape[:2], layout.num_joints)
        size_px = self.image_size_px
        if size_px is None and self.frames_THWC is not None:
            size_px = (self.frames_THWC.shape[2], self.frames_THWC.shape[1])
        width_px, height_px = size_px or (0, 0)
        scores_MTV = None if self.scores_MTV is None else _floats("scores_MTV", self.scores_MTV, shape_MTV)
        return Skeleton(
            joints_MTV3_m=_floats("joints_MTV3_m", self.joints_MTV3_m, (*shape_MTV, 3)),
            pixels_MTV2=_floats("pixels_MTV2", self.pixels_MTV2, (*shape_MTV, 2)),
            image_width_px=width_px,
            image_height_px=height_px,
            layout=layout.name,
            scores_MTV=scores_MTV,
        )


def _floats(name: str, values: NDArray[np.floating] | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return values as float32; NaN if there are none."""
    if values is None:
        return np.full(shape, np.nan, dtype=np.float32)
    if values.shape != shape:
        raise ClipError(f"{name} must have the shape {shape}", got=values.shape)
    return values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class ArrayReader:
    """Reader of one clip in memory. Implements `ClipReader`."""

    prepared: ClipFormat
    arrays: ClipArrays

    @property
    def joint_layout(self) -> JointLayout:
        """See `ClipReader.joint_layout`."""
        return self.prepared.layout

    @property
    def channels(self) -> int:
        """See `ClipReader.channels`."""
        return self.prepared.channels

    def read_skeleton(self, clip: ClipSource) -> Skeleton:  # noqa: ARG002
        """See `ClipReader.read_skeleton`."""
        return self.arrays.skeleton(self.joint_layout)

    def count_frames(self, clip: ClipSource) -> int:  # noqa: ARG002
        """See `ClipReader.count_frames`."""
        return len(self._frames())

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:  # noqa: ARG002
        """See `ClipReader.read_frames`."""
        frames_THWC = self._frames()
        return (frames_THWC[index] for index in indices)

    def _frames(self) -> NDArray[np.uint8]:
        frames_THWC, channels = self.arrays.frames_THWC, self.channels
        if frames_THWC is None:
            raise ClipError("a clip must have frames", hint="give frames_THWC")
        if frames_THWC.ndim != 4 or frames_THWC.shape[3] != channels or frames_THWC.dtype != np.uint8:
            got = f"{frames_THWC.dtype} of shape {frames_THWC.shape}"
            raise ClipError(f"frames must be uint8 of shape (frames, height, width, {channels})", got=got)
        if not frames_THWC.size:
            raise ClipError("a clip must have a frame")
        return frames_THWC


def open_file_reader(prepared: ClipFormat) -> FileReader:
    """Return the reader of single files for a network.

    Raises:
        InputError: if the package that reads its dataset is not installed.
    """
    options = prepared.options
    try:
        name, extension = find_dataset(options.dataset)
    except InputError:  # a dataset of the user's own, under a name of its own
        return FileReader(prepared, None)
    if extension.takes_name:
        return FileReader(prepared, None)
    return FileReader(
        prepared, open_dataset(name, modality=options.modality, settings=options.reader_settings)
    )


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """Clips of a folder in the layout of a dataset, whose classes are known."""

    reader: ClipReader
    sources: tuple[ClipSource, ...]
    class_names: tuple[str, ...]
    """Name of every label of the sources."""

    def class_of(self) -> dict[str, str]:
        """Return the class of each clip, by its id."""
        return {source.clip_id: self.class_names[source.label] for source in self.sources}


def open_labelled(prepared: ClipFormat, source: Path) -> LabelledClips:
    """Find the clips of a folder, or of a pickle, as preparing the model's dataset would.

    Args:
        prepared: format of a network's clips.
        source: folder in the layout of the model's dataset, or of a user's own dataset.

    Raises:
        MissingDataError: if the source does not exist or holds no clip.
        InputError: if a file that describes the clips breaks a rule.
    """
    options = prepared.options
    try:
        name, extension = find_dataset(options.dataset)
        is_own = extension.takes_name
    except InputError:  # a dataset of the user's own, under a name of its own
        is_own = True
    if is_own:
        layout = prepared.joint_layout if prepared.declared_layout is None else ""
        name = "custom" if prepared.channels else "pyskl"
        reader = open_dataset(name, source=source, pose_units=options.pose_units, layout=layout)
    else:
        reader = open_dataset(
            name, modality=options.modality, source=source, settings=options.reader_settings
        )
    return LabelledClips(reader, tuple(reader.find_clips(source)), reader.class_names)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return files, and in place of a folder its files, sorted by name, and those of folders below it.

    Of the folders below, only videos count or, if they hold none, pose files, skeletons and depth maps. A
    folder without any, e.g. of folders with frames, stays as it is. Hidden files and folders are left out.
    """
    found = []
    for path in paths:
        found += (_files_in(path) if path.is_dir() else []) or [path]
    return found


def _files_in(folder: Path) -> list[Path]:
    direct: list[Path] = []
    below: list[Path] = []
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files = [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
        (direct if Path(parent) == folder else below).extend(files)
    videos = [file for file in below if file.suffix.lower() in VIDEO_SUFFIXES]
    return direct + (videos or [file for file in below if file.suffix.lower() in _CLIP_SUFFIXES])


def name_files(files: Sequence[Path]) -> list[str]:
    """Return a unique id for each file: its name without ending, or its path if names repeat.

    Raises:
        MissingDataError: if a file does not exist.
        InputError: if a file is given twice.
    """
    for file in files:
        if not file.exists():
            raise MissingDataError("a clip must be a file", got=file, hint="correct the path")
    stems = [file.stem for file in files]
    counts = Counter(stems)
    names = [stem if counts[stem] == 1 else str(file) for stem, file in zip(stems, files, strict=True)]
    if len(set(names)) < len(names):
        raise InputError("each clip must be given once", got=Counter(names).most_common(1)[0][0])
    return names


def sources_of_files(
    prepared: ClipFormat, files: Sequence[Path], names: Sequence[str], poses: Path | None
) -> list[ClipSource]:
    """Return single files as clips of a network.

    Args:
        prepared: format of the network's clips.
        files: videos, or pose files if the network reads skeletons alone.
        names: id of each clip.
        poses: folder with a pose file of each video's name, or in folders as those of the videos; None if
            there are none.

    Raises:
        MissingDataError: if the folder of poses does not exist.
        InputError: if two videos have the same pose file.
    """
    found = _find_poses(files, poses)
    return [
        new_source(
            name,
            video_path=file if prepared.channels or poses is not None else None,
            skeleton_path=file if poses is None and not prepared.channels else found.get(file),
        )
        for file, name in zip(files, names, strict=True)
    ]


def new_source(name: str, *, video_path: Path | None = None, skeleton_path: Path | None = None) -> ClipSource:
    """Return a clip of an unknown class, by an unknown subject."""
    return ClipSource(name, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, video_path, skeleton_path)


def _find_poses(files: Sequence[Path], folder: Path | None) -> dict[Path, Path]:
    """Return the pose file of each video: that with the most folders in common, e.g. ``jump/a.npz``."""
    by_name = _pose_files(folder)
    found: dict[Path, Path] = {}
    for file in files:
        parts = composed(file.absolute().with_suffix("").as_posix()).split("/")
        names = ("/".join(parts[start:]) for start in range(len(parts)))
        if path := next((by_name[name] for name in names if name in by_name), None):
            found[file] = path
    path, number = Counter(found.values()).most_common(1)[0] if found else (None, 0)
    if number > 1:
        videos = " and ".join(str(file) for file in files if found.get(file) == path)
        raise InputError(
            "every video must have a pose file of its own",
            got=f"{path} for {videos}",
            hint="autohier poses FOLDER --out DIR writes them in folders as those of the videos",
        )
    return found


def _pose_files(folder: Path | None) -> dict[str, Path]:
    """Return the pose files of a folder by their path in it without ending; ``.npz`` takes precedence."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise MissingDataError("--poses must name a folder", got=folder, hint="correct the path")
    files = sorted(folder.rglob("*"), key=lambda path: path.suffix == _OWN_POSES)
    return {
        composed(path.relative_to(folder).with_suffix("").as_posix()): path
        for path in files
        if path.is_file()
    }
