"""Prepared clips in memory, read like those of a store.

Shape letters: T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.base import ClipSource
from autohier.data.skeleton import Skeleton
from autohier.data.store.frame_decoding import decode_frame
from autohier.data.store.prepared_clip import PreparedClip
from autohier.data.store.table import ClipTable, tabulate_sources


@dataclass(frozen=True, slots=True)
class ClipsInMemory:
    """Clips that were prepared just now. Their frames and skeletons are those that a store would give."""

    prepared: tuple[PreparedClip, ...]
    size_px: int
    """Side of the prepared frames."""
    channels: int

    @property
    def sources(self) -> tuple[ClipSource, ...]:
        """Ids, labels and files of the clips, by row."""
        return tuple(clip.source for clip in self.prepared)

    @property
    def clips(self) -> ClipTable:
        """Table of the clips."""
        return tabulate_sources(self.sources)

    def num_kept(self, row: int) -> int:
        """Return the number of kept frames of a clip."""
        return len(self.prepared[row].jpegs)

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of a clip; see `ClipStore.frames`."""
        jpegs = self.prepared[row].jpegs
        side_px = self.size_px if size_px is None else size_px
        frames_THWC = np.empty((len(positions), side_px, side_px, self.channels), dtype=np.uint8)
        for index, position in enumerate(positions):
            decode_frame(memoryview(jpegs[position]), frames_THWC[index], stored_px=self.size_px)
        return frames_THWC

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """Return the crop of a clip: left, top, right, bottom in pixels of the source video."""
        return self.prepared[row].box

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Return width and height of the source video."""
        return self.prepared[row].video_size_px

    def skeleton(self, row: int) -> Skeleton:
        """Return the skeleton of a clip, in all frames of its file."""
        return self.prepared[row].skeleton
