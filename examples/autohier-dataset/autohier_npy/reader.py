"""Reader of ``CLASS/CLIP.npy``, skeletons of one person in the joint layout of Kinect v2.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.clip_ids import clip_numbers, source_name, warn_unnamed
from autohier.data.datasets.common.file_search import find_named, require_path
from autohier.data.joint_layout import JointLayout
from autohier.data.names import composed
from autohier.data.protocols import Protocol
from autohier.data.skeleton import KINECT_V2_25, Skeleton, present_joints
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.transforms.projection import NTU_COLOUR
from autohier.errors import ClipError, MissingDataError
from autohier_npy import NpySettings

_FILE_NAME = re.compile(r"(.+)\.npy")
_MAX_FRAMES = 36_000


@dataclass(frozen=True, slots=True)
class NpyReader:
    """Implements `autohier.data.datasets.base.DatasetReader`."""

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    unit_m: float = 1.0
    warnings: tuple[DatasetWarning, ...] = ()
    modality: str = "skeleton"
    joint_layout: JointLayout = KINECT_V2_25
    channels: int = 0
    sided: bool = True
    levels: tuple[GivenSuperclasses, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:
        """Return one clip per file; its class is the name of its folder."""
        paths = _find_files(source)
        numbers = clip_numbers(paths)
        return [
            ClipSource(
                clip_id=clip_id,
                label=self.class_names.index(composed(path.parent.name)),
                **numbers[clip_id]._asdict(),
                video_path=None,
                skeleton_path=path,
            )
            for clip_id, path in paths.items()
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """Read [T, 25, 3] in units of ``unit_m``; zeros and numbers that are not finite are absent joints."""
        path = require_path(clip.skeleton_path, "skeleton")
        try:
            # A memory map is checked before its numbers are read, so a false header costs no memory.
            values_TV3 = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            raise ClipError(
                "an .npy file must be readable", got=f"{type(error).__name__}: {error}"
            ) from error
        num_joints = self.joint_layout.num_joints
        if (
            values_TV3.ndim != 3
            or values_TV3.shape[1:] != (num_joints, 3)
            or values_TV3.dtype.kind not in "fiu"
        ):
            got = f"{values_TV3.dtype} of shape {values_TV3.shape}"
            raise ClipError(f"a skeleton must be numbers of the shape (frames, {num_joints}, 3)", got=got)
        if not 0 < len(values_TV3) <= _MAX_FRAMES:
            raise ClipError(f"a skeleton must have 1 to {_MAX_FRAMES:,} frames", got=len(values_TV3))
        joints_MTV3 = self.unit_m * np.array(values_TV3, dtype=np.float32)[None]
        is_present_MTV = present_joints(joints_MTV3)
        if not is_present_MTV.any():
            raise ClipError("a skeleton must contain a body")
        joints_MTV3[~is_present_MTV] = np.nan
        return Skeleton(
            joints_MTV3_m=joints_MTV3,
            pixels_MTV2=NTU_COLOUR.project(joints_MTV3),
            image_width_px=NTU_COLOUR.image_width_px,
            image_height_px=NTU_COLOUR.image_height_px,
            layout=self.joint_layout.name,
        )

    def count_frames(self, clip: ClipSource) -> int:
        """Refuse: there are no videos."""
        raise ClipError("a clip must have a video file", got=clip.clip_id)

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Refuse: there are no videos."""
        raise ClipError("a clip must have a video file", got=f"{clip.clip_id} for frames {indices}")


def build(origin: Origin) -> NpyReader:
    """Return the reader of a folder; every second subject tests.

    Raises:
        MissingDataError: if the folder does not exist or contains no clip.
        InputError: if its name cannot be a dataset's.
    """
    if origin.source is None:
        raise MissingDataError("the dataset npy needs a folder of .npy files", hint="add --source DIR")
    paths = _find_files(origin.source)
    subjects = sorted({numbers.subject for numbers in clip_numbers(paths).values()})
    return NpyReader(
        name=source_name(origin.name, origin.source),
        class_names=tuple(sorted({composed(path.parent.name) for path in paths.values()})),
        protocols=(Protocol("cross-subject", "subject", tuple(subjects[::2]), tuple(subjects[1::2])),),
        unit_m=origin.settings.unit_m if isinstance(origin.settings, NpySettings) else 1.0,
        warnings=warn_unnamed(paths),
    )


def _find_files(source: Path) -> dict[str, Path]:
    """Return the files by clip id, in sorted order; the first of several with one id."""
    paths: dict[str, Path] = {}
    for match, path in find_named(source, _FILE_NAME):
        paths.setdefault(f"{composed(path.parent.name)}/{match[1]}", path)
    if not paths:
        raise MissingDataError(
            "a source of npy must contain clips named like CLASS/CLIP.npy", got=source, hint="check --source"
        )
    return dict(sorted(paths.items()))
