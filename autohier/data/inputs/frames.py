"""Frame input: clips as images, for video recognizers.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.transforms.augmentation import center_crop, normalize, random_crop_flip
from autohier.data.transforms.clip_random import ClipRandom
from autohier.data.transforms.sampling import segment_positions, set_offset


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


@dataclass(frozen=True, slots=True)
class FrameInput:
    """One frame per segment. Implements `ClipInput`; clips are bytes until they are on the device."""

    frees_interpreter: ClassVar[bool] = True

    store: FrameStore
    channels: int
    num_frames: int
    resize_px: int | None
    """Side of decoded frames; None for the stored side."""
    crop_px: int
    min_scale: float = 1.0
    """Smallest scale of random crops; see data.transforms.augmentation."""
    flip: bool = False
    test_offsets: Literal["fixed", "drawn"] = "fixed"
    """Place of an evaluation set's frames: the same for all clips, or sampled for every clip and set."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[C, T, H, W]."""
        return (self.channels, self.num_frames, self.crop_px, self.crop_px)

    def read_train(self, row: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """Decode uint8 [T, H, W, C] at one random offset, the same in all segments."""
        return self._decode(row, random.random())

    def read_eval(self, row: int, set_index: int, num_sets: int) -> NDArray[np.uint8]:
        """Decode uint8 [T, H, W, C] at the set's offset."""
        if self.test_offsets == "fixed":
            return self._decode(row, set_offset(set_index, num_sets))
        return self._decode(row, np.random.default_rng((row, set_index)).random())

    def transform_train(self, clips: Tensor, random: ClipRandom) -> Tensor:
        """Return random crops, half of them mirrored if ``flip``: float32 [B, C, T, H, W]."""
        cropped_BTHWC = random_crop_flip(
            clips, crop_px=self.crop_px, flip=self.flip, random=random, min_scale=self.min_scale
        )
        return normalize(cropped_BTHWC)

    def transform_eval(self, clips: Tensor, *, mirrored: bool = False) -> Tensor:
        """Return center crops: float32 [B, C, T, H, W]."""
        cropped_BTHWC = center_crop(clips, crop_px=self.crop_px)
        return normalize(cropped_BTHWC.flip(3) if mirrored else cropped_BTHWC)

    def _decode(self, row: int, offset: float) -> NDArray[np.uint8]:
        positions = segment_positions(self.store.num_kept(row), self.num_frames, offset)
        return self.store.frames(row, positions.tolist(), size_px=self.resize_px)
