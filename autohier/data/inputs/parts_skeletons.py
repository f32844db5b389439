"""Pictures of the hands and the body with joint coordinates of the same clip.

Legend: B clips, C channels or coordinates, M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.reading.frames_skeletons import SKELETONS
from autohier.data.inputs.reading.parts_skeletons import PartsSkeletonsReading
from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.transforms.parts import OTHER_SIDE
from autohier.data.transforms.tensors.augmentation import (
    Crops,
    center_crops,
    crop_flip,
    normalize,
    sample_crops,
)
from autohier.data.transforms.tensors.clip_random import ClipRandom


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsSkeletonsInput(PartsSkeletonsReading):
    """Clips as pictures by part, and ``skeletons``. Implements `ClipInput`.

    All parts of a clip get one crop and one mirror; a mirrored clip exchanges the hands, too.
    """

    skeletons: SkeletonInput
    min_scale: float = 1.0
    """Smallest scale of random crops; see data.transforms.tensors.augmentation."""
    flip: bool = False

    def read_train(self, row: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Read pictures from a random start, and joints of a random frame per segment."""
        pictures = self._pictures(row, random.random())
        return {**pictures, SKELETONS: self.skeletons.read_train(row, random)}

    def transform_train(self, clips: dict[str, Tensor], random: ClipRandom) -> dict[str, Tensor]:
        """Return augmented float32 inputs by name: random crops, and rotated and scaled skeletons.

        Crops and skeletons of a clip are mirrored together.
        """
        size = (self.resize_px, self.resize_px)
        crops = sample_crops(
            size, crop_px=self.crop_px, flip=self.flip, random=random, min_scale=self.min_scale
        )
        joints = self.skeletons.augment(clips[SKELETONS], random, mirrored_B=crops.mirrored_B)
        return {**self._cropped(clips, crops), SKELETONS: joints}

    def transform_eval(self, clips: dict[str, Tensor], *, mirrored: bool = False) -> dict[str, Tensor]:
        """Return float32 inputs by name: center crops of the pictures, and the skeletons.

        ``mirrored`` mirrors all of them.
        """
        size = (self.resize_px, self.resize_px)
        crops = center_crops(size, len(clips[SKELETONS]), crop_px=self.crop_px, mirrored=mirrored)
        joints = self.skeletons.transform_eval(clips[SKELETONS], mirrored=mirrored)
        return {**self._cropped(clips, crops), SKELETONS: joints}

    def _cropped(self, clips: dict[str, Tensor], crops: Crops) -> dict[str, Tensor]:
        cropped = {}
        for part in self.parts:
            shown_BTHWC, other_BTHWC = clips[part], clips[OTHER_SIDE[part]]
            mirrored_B = crops.mirrored_B.to(shown_BTHWC.device)
            if shown_BTHWC is not other_BTHWC and mirrored_B.any():
                shown_BTHWC = torch.where(mirrored_B[:, None, None, None, None], other_BTHWC, shown_BTHWC)
            cropped_BTHWC = crop_flip(shown_BTHWC, crops, crop_px=self.crop_px)
            cropped[part] = normalize(cropped_BTHWC, scale=self.pixel_scale)
        return cropped
