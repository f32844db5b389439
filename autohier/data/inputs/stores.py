"""Interfaces of stores for clip inputs: labels, frames, skeletons and the part of the video they show.

Legend: T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import Skeleton


class Labelled(Protocol):
    """Table with a class for every row."""

    @property
    def label(self) -> NDArray[np.int64]:
        """0-based class of every row."""


class FrameStore(Protocol):
    """Store of frames, such as data.store.reader.ClipStore. Several threads call its methods."""

    @property
    def clips(self) -> Labelled:
        """Table of the clips."""

    def num_kept(self, row: int) -> int:
        """Return the number of stored frames of a clip."""

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of a clip: uint8 [T, H, W, C]."""


class SkeletonStore(Protocol):
    """Store of skeletons, such as data.store.reader.ClipStore. Several threads call its methods."""

    @property
    def clips(self) -> Labelled:
        """Table of the clips."""

    def skeleton(self, row: int) -> Skeleton:
        """Return the skeleton of a clip."""


class PictureStore(FrameStore, SkeletonStore, Protocol):
    """Store of frames and skeletons that knows which part of the video the frames show."""

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """Return the crop of a clip: left, top, right, bottom in pixels of the source video."""

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Return width and height of the source video."""
