"""Clips of a store, corrupted when they are read.

Shape letters: T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.data.corruption.kinds import Corruption
from autohier.data.inputs.stores import Labelled, PictureStore
from autohier.data.skeleton import Skeleton
from autohier.digest import derive_seed


class NamedTable(Labelled, Protocol):
    """Table with a class and an id for every row."""

    @property
    def clip_id(self) -> tuple[str, ...]:
        """Unique id of every row."""


class NamedClips(PictureStore, Protocol):
    """Store whose clips have ids, such as data.store.reader.ClipStore."""

    @property
    def clips(self) -> NamedTable:
        """Table of the clips."""


@dataclass(frozen=True, slots=True)
class CorruptedClips:
    """Clips of a store with one corruption. Implements `PictureStore`.

    What is random depends only on the seed, the kind of corruption and the id of the clip. So a clip is
    corrupted alike in every frame set and store, and a stronger corruption of a kind adds to a weaker one.
    """

    store: NamedClips
    corruption: Corruption
    seed: int = 0

    @property
    def clips(self) -> NamedTable:
        """Table of the clips."""
        return self.store.clips

    def num_kept(self, row: int) -> int:
        """Return the number of frames that stay."""
        return len(self.corruption.positions(self.store.num_kept(row)))

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of a clip; see `ClipStore.frames`."""
        stored = self.corruption.positions(self.store.num_kept(row))[list(positions)]
        frames_THWC = self.store.frames(row, stored.tolist(), size_px=size_px)
        return self.corruption.change_frames(frames_THWC, self._random(row))

    def skeleton(self, row: int) -> Skeleton:
        """Return the corrupted skeleton of a clip."""
        changed = self.corruption.change_skeleton(self.store.skeleton(row), self._random(row))
        positions = self.corruption.positions(changed.num_frames)
        if len(positions) == changed.num_frames:
            return changed
        scores_MTV = changed.scores_MTV
        return replace(
            changed,
            joints_MTV3_m=changed.joints_MTV3_m[:, positions],
            pixels_MTV2=changed.pixels_MTV2[:, positions],
            scores_MTV=None if scores_MTV is None else scores_MTV[:, positions],
        )

    def box_px(self, row: int) -> tuple[int, int, int, int]:
        """Return the crop of a clip: left, top, right, bottom in pixels of the source video."""
        return self.store.box_px(row)

    def video_size_px(self, row: int) -> tuple[int, int]:
        """Return width and height of the source video."""
        return self.store.video_size_px(row)

    def _random(self, row: int) -> np.random.Generator:
        kind = type(self.corruption).__name__
        return np.random.default_rng(derive_seed(self.seed, kind, self.store.clips.clip_id[row]))
