"""Frames: clips as pictures, for recognizers of videos.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor

from autohier.data.preprocessing.augmentation import centre_crop, normalise, random_crop_flip
from autohier.data.preprocessing.sampling import segment_positions, set_offset


class Labelled(Protocol):
    """A table with a class for every row."""

    @property
    def label(self) -> NDArray[np.int64]:
        """0-based class of every row."""


class FrameStore(Protocol):
    """What frames are read from; see data.store.reader.ClipStore. Its methods may be called by threads."""

    @property
    def clips(self) -> Labelled:
        """What is known of every clip."""

    def num_kept(self, row: int) -> int:
        """Frames that the store holds of a clip."""

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of a clip: uint8 [T, H, W, C]."""


@dataclass(frozen=True, slots=True)
class FrameForm:
    """One frame of each segment, bytes until they are on the device. Implements data.forms.form.ClipForm."""

    frees_interpreter: ClassVar[bool] = True

    store: FrameStore
    channels: int
    num_frames: int
    resize_px: int | None
    """None: as stored."""
    crop_px: int
    min_scale: float = 1.0
    """Of random crops; see data.preprocessing.augmentation."""
    flip: bool = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipForm.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[C, T, H, W]."""
        return (self.channels, self.num_frames, self.crop_px, self.crop_px)

    def draw(self, row: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """uint8 [T, H, W, C], at one random offset in all segments."""
        return self._decode(row, random.random())

    def take(self, row: int, set_index: int, num_sets: int) -> NDArray[np.uint8]:
        """uint8 [T, H, W, C], at the set's offset."""
        return self._decode(row, set_offset(set_index, num_sets))

    def augment(self, clips: Tensor, generator: Generator) -> Tensor:
        """Random crops, mirrored or not, float32 [B, C, T, H, W]."""
        cropped_BTHWC = random_crop_flip(
            clips, crop_px=self.crop_px, flip=self.flip, generator=generator, min_scale=self.min_scale
        )
        return normalise(cropped_BTHWC)

    def present(self, clips: Tensor) -> Tensor:
        """The centre, float32 [B, C, T, H, W]."""
        return normalise(centre_crop(clips, crop_px=self.crop_px))

    def _decode(self, row: int, offset: float) -> NDArray[np.uint8]:
        positions = segment_positions(self.store.num_kept(row), self.num_frames, offset)
        return self.store.frames(row, positions.tolist(), size_px=self.resize_px)
