"""Frames with joint coordinates of the same clip, for recognizers that read both.

Legend: B clips, C channels or coordinates, M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.reading.frames_skeletons import FRAMES, SKELETONS, FramesSkeletonsReading
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.transforms.tensors.augmentation import crop_flip, normalize, sample_crops
from autohier.data.transforms.tensors.clip_random import ClipRandom


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesSkeletonsInput(FramesSkeletonsReading):
    """Clips as ``frames`` and ``skeletons``, with one mirror. Implements `ClipInput`."""

    frames: FrameInput
    skeletons: SkeletonInput

    def read_train(self, row: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Read uint8 [T, H, W, C] at one random offset, and joints of a random frame per segment."""
        return {
            FRAMES: self.frames.read_train(row, random),
            SKELETONS: self.skeletons.read_train(row, random),
        }

    def transform_train(self, clips: dict[str, Tensor], random: ClipRandom) -> dict[str, Tensor]:
        """Return random crops, and rotated and scaled skeletons, mirrored together: float32 by name."""
        own, size = self.frames, tuple(clips[FRAMES].shape[2:4])
        crops = sample_crops(size, crop_px=own.crop_px, flip=own.flip, random=random, min_scale=own.min_scale)
        return {
            FRAMES: normalize(crop_flip(clips[FRAMES], crops, crop_px=own.crop_px), scale=own.pixel_scale),
            SKELETONS: self.skeletons.augment(clips[SKELETONS], random, mirrored_B=crops.mirrored_B),
        }

    def transform_eval(self, clips: dict[str, Tensor], *, mirrored: bool = False) -> dict[str, Tensor]:
        """Return center crops of the frames, and the skeletons, both mirrored or not: float32 by name."""
        return {
            FRAMES: self.frames.transform_eval(clips[FRAMES], mirrored=mirrored),
            SKELETONS: self.skeletons.transform_eval(clips[SKELETONS], mirrored=mirrored),
        }
