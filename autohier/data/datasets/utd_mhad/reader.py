"""UTD-MHAD: depth or RGB videos and Kinect v1 skeletons; 27 classes, cross-subject.

Shape letters: T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.file_search import find_named_clips, require_path
from autohier.data.formats.mat import read_mat_array, read_mat_shape
from autohier.data.joint_layout import JointLayout
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V1_20_UTD, Skeleton, present_joints
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.transforms.projection import KINECT_V1_COLOUR, UTD_DEPTH
from autohier.data.video.container import MAX_FRAME_PX
from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds
from autohier.errors import ClipError, MissingDataError

UTD_CLASS_NAMES = (
    *("swipe left", "swipe right", "wave", "clap", "throw", "arm cross", "basketball shoot", "draw x"),
    *("draw circle (clockwise)", "draw circle (counter clockwise)", "draw triangle", "bowling", "boxing"),
    *("baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock", "catch"),
    *("pickup and throw", "jog", "walk", "sit to stand", "stand to sit", "lunge", "squat"),
)

_FILE_NAME = re.compile(r"(a(\d{1,2})_s(\d)_t(\d))_(skeleton\.mat|depth\.mat|color\.avi)", re.IGNORECASE)
Modality = Literal["depth", "rgb", "skeleton"]
_VIDEO_ENDING: Final = {"depth": "depth.mat", "rgb": "color.avi", "skeleton": None}
_NEAREST_M, _FARTHEST_M = 1.7, 4.1  # range of the subjects; measured medians are 2.7 to 3.2 m
_MAX_SKELETON_FRAMES: Final = 36_000  # twenty minutes
_MAX_SKELETON_BYTES: Final = _MAX_SKELETON_FRAMES * 20 * 3 * 8
_MAX_DEPTH_BYTES: Final = 256 << 20  # one minute
_ABSURD_M = 1000.0  # a joint at this distance is damaged data


@dataclass(frozen=True, slots=True)
class UtdMhadReader:
    """Reader of ``aA_sS_tT_{depth.mat,color.avi,skeleton.mat}``, in one folder or a folder per modality."""

    modality: Modality = "depth"
    name: str = "utd-mhad"
    class_names: tuple[str, ...] = UTD_CLASS_NAMES
    protocols: tuple[Protocol, ...] = PROTOCOLS["utd-mhad"]
    joint_layout: JointLayout = KINECT_V1_20_UTD
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()
    sided: bool = True  # swipe left and swipe right, circles clockwise and counter-clockwise

    @property
    def channels(self) -> int:
        """Number of channels: 1 for depth, 3 for RGB, 0 for skeletons alone."""
        return {"depth": 1, "rgb": 3, "skeleton": 0}[self.modality]

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`."""
        actions = range(1, len(self.class_names) + 1)
        found = {
            clip_id: clip
            for clip_id, clip in find_named_clips(source, _FILE_NAME, lower=True).items()
            if clip.numbers[0] in actions and (self.channels or "skeleton.mat" in clip.files)
        }
        if not found:
            raise MissingDataError(
                f"a source of {self.name} must contain files named like a1_s1_t1_"
                f"{_VIDEO_ENDING[self.modality] or 'skeleton.mat'}",
                got=source,
                hint="check --source",
            )
        return [
            ClipSource(
                clip_id=clip_id,
                label=action - 1,
                subject=subject,
                camera=1,
                setup=1,
                replication=trial,
                video_path=clip.files.get(_VIDEO_ENDING[self.modality] or ""),
                skeleton_path=clip.files.get("skeleton.mat"),
            )
            for clip_id, clip in found.items()
            for action, subject, trial in [clip.numbers]
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        path = require_path(clip.skeleton_path, "skeleton")
        values_V3T = read_mat_array(path, "d_skel", max_bytes=_MAX_SKELETON_BYTES)
        num_joints = self.joint_layout.num_joints
        if values_V3T.ndim != 3 or values_V3T.shape[:2] != (num_joints, 3) or values_V3T.shape[2] == 0:
            raise ClipError(f"a skeleton must have the shape ({num_joints}, 3, frames)", got=values_V3T.shape)
        if values_V3T.shape[2] > _MAX_SKELETON_FRAMES:
            raise ClipError(
                f"a skeleton must have at most {_MAX_SKELETON_FRAMES:,} frames", got=values_V3T.shape[2]
            )
        joints_MTV3 = values_V3T.transpose(2, 0, 1)[None].clip(-_ABSURD_M, _ABSURD_M).astype(np.float32)
        is_present_MTV = present_joints(joints_MTV3) & (np.abs(joints_MTV3) < _ABSURD_M).all(axis=-1)
        if not is_present_MTV.any():
            raise ClipError("a skeleton must contain a body")
        joints_MTV3 = np.where(is_present_MTV[..., None], joints_MTV3, np.float32(np.nan))
        camera = UTD_DEPTH if self.modality == "depth" else KINECT_V1_COLOUR
        return Skeleton(
            joints_MTV3_m=joints_MTV3,
            pixels_MTV2=camera.project(joints_MTV3),
            image_width_px=camera.image_width_px,
            image_height_px=camera.image_height_px,
            layout=self.joint_layout.name,
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        path = require_path(clip.video_path, self.modality)
        if self.modality == "rgb":
            return count_frames(path)
        return _count_depth_frames(path)

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """See `TimesFrames.frame_bounds`; depth has no times."""
        path = require_path(clip.video_path, self.modality)
        return frame_bounds(path) if self.modality == "rgb" else None

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`; `depth_to_grey` converts depth."""
        path = require_path(clip.video_path, self.modality)
        if self.modality == "rgb":
            yield from decode_frames(path, indices)
            return
        depth_HWT = read_mat_array(path, "d_depth", max_bytes=_MAX_DEPTH_BYTES)
        for index in indices:
            yield depth_to_grey(depth_HWT[:, :, index])[:, :, None]


def build_utd_mhad(origin: Origin) -> UtdMhadReader:
    """Return the reader of UTD-MHAD for a modality."""
    (modality,) = (one for one in get_args(Modality) if one == origin.modality)
    return UtdMhadReader(modality)


def depth_to_grey(depth_HW_mm: NDArray[np.number]) -> NDArray[np.uint8]:
    """Map depth in millimeters to gray: 1.7 m or nearer to 1, 4.1 m or farther to 255, no reading to 0.

    The nearest depth is 1 and not 0, so that a body near the camera differs from the background, which the
    dataset's authors have set to 0.
    """
    with np.errstate(over="ignore"):  # a depth beyond float32 becomes infinite
        depth_HW_m = depth_HW_mm.astype(np.float32) / 1000
    share_HW = (depth_HW_m - _NEAREST_M) / (_FARTHEST_M - _NEAREST_M)
    grey_HW = np.rint(1 + 254 * np.clip(share_HW, 0, 1))
    return np.where(depth_HW_mm > 0, grey_HW, 0).astype(np.uint8)


def _count_depth_frames(path: Path) -> int:
    shape = read_mat_shape(path, "d_depth")
    if len(shape) != 3 or 0 in shape:
        raise ClipError("d_depth must have the shape (height, width, frames)", got=shape)
    if shape[0] * shape[1] > MAX_FRAME_PX:
        raise ClipError(f"a frame must have at most {MAX_FRAME_PX:,} pixels", got=shape[:2])
    return shape[2]
