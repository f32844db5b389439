"""The feed of a network: clips of one split in the form that it reads, on the device.

Legend: B clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.batches import ClipBatches
from autohier.data.forms.form import ClipForm
from autohier.data.splits import Split
from autohier.digest import derive_seed

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads one split of one store in one form."""

    form: ClipForm
    split: Split
    test_sets: int
    """Frame sets whose probabilities are averaged when a stage is measured."""
    batch_size: int
    device: torch.device
    num_threads: int = 1

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """What a network reads of one clip."""
        return self.form.clip_shape

    def num_clips(self, part: Part) -> int:
        """Clips of one part of the split."""
        return len(self.rows(part))

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Where the clips of one part stand in the store, in the order in which they are evaluated."""
        rows: NDArray[np.int64] = getattr(self.split, part)
        return rows

    @property
    def num_training_batches(self) -> int:
        """Steps of an epoch."""
        return self._batches("train").num_training_batches

    def training_epoch(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled, augmented training batches; order, frames and augmentation follow from the seed alone.

        Yields:
            float32 [B, *clip_shape] and int64 [B], on the device.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation"))
        for batch in self._batches("train").training_epoch(derive_seed(seed, "batches")):
            yield self.form.augment(batch.clips, generator), batch.labels_B

    def evaluation_set(self, part: Part, set_index: int, num_sets: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one part in order, with the frames of one of ``num_sets`` sets."""
        for batch in self._batches(part).evaluation_set(set_index, num_sets):
            yield self.form.present(batch.clips), batch.labels_B

    def _batches(self, part: Part) -> ClipBatches:
        return ClipBatches(
            self.form,
            self.rows(part),
            batch_size=self.batch_size,
            device=self.device,
            num_threads=self.num_threads,
        )
