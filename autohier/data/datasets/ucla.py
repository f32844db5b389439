"""N-UCLA Multiview Action 3D: frames in folders or videos, and Kinect v1 skeletons; 10 classes, 3 views.

Shape letters: T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.finding import require_path
from autohier.data.datasets.frame_folder import list_frames, numbered_frames, read_images
from autohier.data.datasets.reader import ClipSource, Remark
from autohier.data.datasets.ucla_files import FRAME_IMAGE, FRAME_SKELETON, UclaFiles, find_ucla_files
from autohier.data.datasets.ucla_names import UCLA_ACTIONS
from autohier.data.datasets.ucla_skeleton import read_ucla_folder, read_ucla_json
from autohier.data.decoding import count_frames, decode_frames
from autohier.data.levels import GivenLevel
from autohier.data.preprocessing.projection import KINECT_V1_COLOUR
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V1_20, JointLayout, Skeleton
from autohier.errors import ClipError, MissingDataError

_LABELS = {action: label for label, action in enumerate(UCLA_ACTIONS)}
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class UclaReader:
    """Reads ``view_V/aAA_sSS_eEE/frame_N_tc_T_rgb.jpg``, or .avi files, and skeletons as text or json.

    A folder of frames is one clip, its video and its skeleton both. The skeleton of a video, or of a folder
    without any, is the json of the same clip, wherever under the source it lies. Where there is a folder and
    a video of one clip, the folder is read: it tells which skeleton belongs to which frame. Skeletons alone
    are read from json first.
    """

    modality: Literal["rgb", "skeleton"] = "rgb"
    name: str = "n-ucla"
    class_names: tuple[str, ...] = tuple(UCLA_ACTIONS.values())
    protocols: tuple[Protocol, ...] = PROTOCOLS["n-ucla"]
    joint_layout: JointLayout = KINECT_V1_20
    sided: bool = False
    levels: tuple[GivenLevel, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def channels(self) -> int:
        """Skeletons alone have no frames."""
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
                "a source of n-ucla must hold clips named like view_1/a01_s01_e00 or a01_s01_e00_v01"
                f"{'.avi' if self.modality == 'rgb' else '.json'}",
                got=f"{source} with {len(found.passed_over):,} .avi files called otherwise, e.g. "
                f"{found.passed_over[0].relative_to(source)}"
                if found.passed_over
                else source,
                remedy="check --source",
            )
        return sorted(clips, key=lambda clip: clip.clip_id)

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`; a json file's label must be that of the clip."""
        path = require_path(clip.skeleton_path, "skeleton")
        if path.suffix.lower() == ".json":
            joints_MTV3 = read_ucla_json(path, label=clip.label)
        else:
            joints_MTV3 = read_ucla_folder(path)
        return Skeleton(
            joints_MTV3_m=joints_MTV3,
            pixels_MTV2=KINECT_V1_COLOUR.project(joints_MTV3),
            image_width_px=KINECT_V1_COLOUR.image_width_px,
            image_height_px=KINECT_V1_COLOUR.image_height_px,
            layout=self.joint_layout.name,
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        path = require_path(clip.video_path, "video")
        return count_frames(path) if _is_video(path) else len(list_frames(path, FRAME_IMAGE, "image"))

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        path = require_path(clip.video_path, "video")
        if _is_video(path):
            return decode_frames(path, indices)
        return read_images(list_frames(path, FRAME_IMAGE, "image"), indices)

    def _choose(self, files: UclaFiles) -> tuple[Path | None, Path | None]:
        """The paths of the video and of the skeleton."""
        if self.modality == "skeleton":
            return None, files.json or files.folder
        if files.folder and files.json and not _holds_skeletons(files.folder):
            return files.folder, files.json
        return files.folder or files.video, files.folder or files.json


def _holds_skeletons(folder: Path) -> bool:
    try:
        return bool(numbered_frames(folder, FRAME_SKELETON))
    except ClipError:  # reading the clip will say why
        return True


def _is_video(path: Path) -> bool:
    return path.suffix.lower() == ".avi"


def ucla_reader(source: Path | None, modality: Literal["rgb", "skeleton"]) -> UclaReader:
    """The reader of a source, with a remark on videos whose names do not tell a clip.

    Raises:
        MissingDataError: where the source is not a folder that can be listed.
    """
    passed_over = find_ucla_files(source).passed_over if source is not None and modality == "rgb" else []
    if not passed_over:
        return UclaReader(modality)
    named = ", ".join(map(str, passed_over[:_MOST_NAMED]))
    remark = Remark(
        f"{len(passed_over):,} videos are passed over: their names tell no clip, or that of another video: "
        f"{named}{', ...' if len(passed_over) > _MOST_NAMED else ''}",
        "call them like a01_s01_e00_v01.avi, if they are meant",
    )
    return UclaReader(modality, remarks=(remark,))
