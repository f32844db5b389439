"""Frames of datasets with one whole video file per clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.common.file_search import require_path
from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds


class VideoFileFrames:
    """Reader of frames from `ClipSource.video_path`; a dataset's reader inherits it."""

    __slots__ = ()

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        return count_frames(require_path(clip.video_path, "video"))

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """See `TimesFrames.frame_bounds`."""
        return frame_bounds(require_path(clip.video_path, "video"))

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        return decode_frames(require_path(clip.video_path, "video"), indices)
