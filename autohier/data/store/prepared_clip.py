"""A clip that is prepared and not yet in a store."""

from __future__ import annotations

from dataclasses import dataclass

from autohier.data.datasets.base import ClipSource
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.boxes import Box


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """One clip ready to be written to the store.

    Attributes:
        source: id, labels and files of the clip.
        num_frames: frames of the source video.
        video_size_px: width and height of the source video.
        box: crop of each frame.
        frame_indices: numbers of the kept frames in the source video, which never descend. They are evenly
            spread over its time, so they may repeat if its frames differ in length. Pose files count frames
            by the same number.
        jpegs: the kept frames.
        skeleton: all frames of the skeleton file; has no person if the clip has no skeleton.
    """

    source: ClipSource
    num_frames: int
    video_size_px: tuple[int, int]
    box: Box
    frame_indices: tuple[int, ...]
    jpegs: tuple[bytes, ...]
    skeleton: Skeleton
