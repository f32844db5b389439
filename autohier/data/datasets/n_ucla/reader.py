"""N-UCLA Multiview Action 3D: folders of frames or videos, and Kinect v1 skeletons; 10 classes, 3 views.

Shape letters: T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.file_search import require_path
from autohier.data.datasets.common.frame_folder import list_frames, numbered_frames, read_images
from autohier.data.datasets.n_ucla.files import FRAME_IMAGE, FRAME_SKELETON, UclaFiles, find_ucla_files
from autohier.data.datasets.n_ucla.names import UCLA_ACTIONS
from autohier.data.datasets.n_ucla.skeleton import read_ucla_folder, read_ucla_json
from autohier.data.joint_layout import JointLayout
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V1_20, Skeleton
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.transforms.projection import N_UCLA_COLOUR
from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds
from autohier.errors import ClipError, MissingDataError

_LABELS = {action: label for label, action in enumerate(UCLA_ACTIONS)}
_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class UclaReader:
    """Reader of ``view_V/aAA_sSS_eEE/frame_N_tc_T_rgb.jpg`` or .avi files, and of text or JSON skeletons.

    A folder of frames contains both the images and the skeletons of a clip. The skeleton of a video, or of a
    folder without skeletons, is the JSON file of the same clip, anywhere in the source. If a clip has a
    folder and a video, the folder is read, because it matches skeletons to frames. With modality
    ``skeleton``, a JSON file takes precedence over a folder.
    """

    modality: Literal["rgb", "skeleton"] = "rgb"
    name: str = "n-ucla"
    class_names: tuple[str, ...] = tuple(UCLA_ACTIONS.values())
    protocols: tuple[Protocol, ...] = PROTOCOLS["n-ucla"]
    joint_layout: JointLayout = KINECT_V1_20
    sided: bool = False
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()

    @property
    def channels(self) -> int:
        """Number of channels: 3 for RGB, 0 for skeletons alone."""
        return 3 if self.modality == "rgb" else 0

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`."""
        found = find_ucla_files(source)
        clips = [
            ClipSource(
                clip_id=str(number),
                label=_LABELS[number.action],
                subject=number.subject,
                camera=number.view,
                setup=1,
                replication=number.replication,
                video_path=video_path,
                skeleton_path=skeleton_path,
            )
            for number, files in sorted(found.clips.items())
            for video_path, skeleton_path in [self._choose(files)]
            if video_path or skeleton_path
        ]
        if not clips:
            raise MissingDataError(
                "a source of n-ucla must contain clips named like view_1/a01_s01_e00 or a01_s01_e00_v01"
                f"{'.avi' if self.modality == 'rgb' else '.json'}",
                got=f"{source} with {len(found.skipped):,} .avi files of other names, e.g. "
                f"{found.skipped[0].relative_to(source)}"
                if found.skipped
                else source,
                hint="check --source",
            )
        return sorted(clips, key=lambda clip: clip.clip_id)

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`; the label in a JSON file must be that of the clip."""
        path = require_path(clip.skeleton_path, "skeleton")
        if path.suffix.lower() == ".json":
            joints_MTV3 = read_ucla_json(path, label=clip.label)
        else:
            joints_MTV3 = read_ucla_folder(path)
        return Skeleton(
            joints_MTV3_m=joints_MTV3,
            pixels_MTV2=N_UCLA_COLOUR.project(joints_MTV3),
            image_width_px=N_UCLA_COLOUR.image_width_px,
            image_height_px=N_UCLA_COLOUR.image_height_px,
            layout=self.joint_layout.name,
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        path = require_path(clip.video_path, "video")
        return count_frames(path) if _is_video(path) else len(list_frames(path, FRAME_IMAGE, "image"))

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """See `TimesFrames.frame_bounds`; the times in the names of single frames are not used."""
        path = require_path(clip.video_path, "video")
        return frame_bounds(path) if _is_video(path) else None

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        path = require_path(clip.video_path, "video")
        if _is_video(path):
            return decode_frames(path, indices)
        return read_images(list_frames(path, FRAME_IMAGE, "image"), indices)

    def _choose(self, files: UclaFiles) -> tuple[Path | None, Path | None]:
        """Return the paths of the video and of the skeleton."""
        if self.modality == "skeleton":
            return None, files.json or files.folder
        if files.folder and files.json and not _has_skeletons(files.folder):
            return files.folder, files.json
        return files.folder or files.video, files.folder or files.json


def _has_skeletons(folder: Path) -> bool:
    try:
        return bool(numbered_frames(folder, FRAME_SKELETON))
    except ClipError:  # reading the clip will report it
        return True


def _is_video(path: Path) -> bool:
    return path.suffix.lower() == ".avi"


def build_ucla(origin: Origin) -> UclaReader:
    """Return the reader of N-UCLA, with a warning about videos whose names identify no clip.

    Raises:
        MissingDataError: if the source is given, and is not a folder or cannot be listed.
    """
    modality: Literal["rgb", "skeleton"] = "rgb" if origin.modality == "rgb" else "skeleton"
    source = origin.source if modality == "rgb" else None
    skipped = find_ucla_files(source).skipped if source is not None else []
    if not skipped:
        return UclaReader(modality)
    named = ", ".join(map(str, skipped[:_MAX_NAMED]))
    warning = DatasetWarning(
        f"{len(skipped):,} videos are skipped because their names identify no clip, or one that has a video: "
        f"{named}{', ...' if len(skipped) > _MAX_NAMED else ''}",
        "name them like a01_s01_e00_v01.avi to include them",
    )
    return UclaReader(modality, warnings=(warning,))
