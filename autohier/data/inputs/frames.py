"""Frame input: clips as images, for video recognizers.

Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.reading.frames import FrameReading
from autohier.data.transforms.tensors.augmentation import center_crop, normalize, random_crop_flip
from autohier.data.transforms.tensors.clip_random import ClipRandom


@dataclass(frozen=True, slots=True)
class FrameInput(FrameReading):
    """One frame per segment. Implements `ClipInput`; clips are bytes until they are on the device."""

    min_scale: float = 1.0
    """Smallest scale of random crops; see data.transforms.tensors.augmentation."""
    flip: bool = False

    def read_train(self, row: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """Decode uint8 [T, H, W, C] at one random offset, the same in all segments."""
        return self._decode(row, random.random())

    def transform_train(self, clips: Tensor, random: ClipRandom) -> Tensor:
        """Return random crops, half of them mirrored if ``flip``: float32 [B, C, T, H, W]."""
        cropped_BTHWC = random_crop_flip(
            clips, crop_px=self.crop_px, flip=self.flip, random=random, min_scale=self.min_scale
        )
        return normalize(cropped_BTHWC, scale=self.pixel_scale)

    def transform_eval(self, clips: Tensor, *, mirrored: bool = False) -> Tensor:
        """Return center crops: float32 [B, C, T, H, W]."""
        cropped_BTHWC = center_crop(clips, crop_px=self.crop_px)
        shown_BTHWC = cropped_BTHWC.flip(3) if mirrored else cropped_BTHWC
        return normalize(shown_BTHWC, scale=self.pixel_scale)
