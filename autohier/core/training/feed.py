"""The feed of a network: clips of one split as normalised tensors on the device.

Bytes cross the bus; cropping, mirroring and normalisation happen on the device.
Legend: B clips, C channels, T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autohier.data.batches import ClipBatches, FrameStore
from autohier.data.preprocessing.augmentation import (
    centre_crop,
    normalise,
    random_crop_flip,
)
from autohier.data.splits import Split
from autohier.digest import derive_seed

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads one split of one store in one way."""

    store: FrameStore
    split: Split
    channels: int
    num_frames: int
    resize_px: int
    crop_px: int
    min_scale: float
    """Of random crops; see data.preprocessing.augmentation."""
    flip: bool
    test_sets: int
    """Frame sets whose probabilities are averaged when a stage is measured."""
    batch_size: int
    device: torch.device
    num_threads: int = 1

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[C, T, H, W] of what a network reads of one clip."""
        return (self.channels, self.num_frames, self.crop_px, self.crop_px)

    def num_clips(self, part: Part) -> int:
        """Clips of one part of the split."""
        return len(getattr(self.split, part))

    @property
    def num_training_batches(self) -> int:
        """Steps of an epoch."""
        return self._batches("train").num_training_batches

    def training_epoch(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled, augmented training batches; order, frames, crops and flips follow from the seed alone.

        Yields:
            float32 [B, C, T, H, W] and int64 [B], on the device.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation"))
        for batch in self._batches("train").training_epoch(derive_seed(seed, "batches")):
            clips_BTHWC = random_crop_flip(
                batch.clips_BTHWC,
                crop_px=self.crop_px,
                flip=self.flip,
                generator=generator,
                min_scale=self.min_scale,
            )
            yield normalise(clips_BTHWC), batch.labels_B

    def evaluation_set(self, part: Part, set_index: int, num_sets: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one part in order, centre-cropped, with the frames of one of ``num_sets`` sets."""
        for batch in self._batches(part).evaluation_set(set_index, num_sets):
            yield normalise(centre_crop(batch.clips_BTHWC, crop_px=self.crop_px)), batch.labels_B

    def _batches(self, part: Part) -> ClipBatches:
        return ClipBatches(
            self.store,
            getattr(self.split, part),
            batch_size=self.batch_size,
            num_frames=self.num_frames,
            resize_px=self.resize_px,
            device=self.device,
            num_threads=self.num_threads,
        )
