"""Data loader: batches of one split on the device, as the recognizer reads them.

Legend: B clips of a batch, R clips of it that this process reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.base import ClipInput
from autohier.data.inputs.loader import Batch, ClipLoader
from autohier.data.inputs.named import ClipBatch
from autohier.data.inputs.shapes import ClipShape
from autohier.data.inputs.share import WHOLE, Share
from autohier.data.splits import Split
from autohier.data.transforms.tensors.clip_random import ClipRandom
from autohier.digest import derive_seed

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class DataLoader:
    """Reads the clips of one split of a store through one clip input."""

    clip_input: ClipInput
    split: Split
    test_sets: int
    """Number of frame sets whose probabilities are averaged when a stage is evaluated."""
    batch_size: int
    device: torch.device
    num_threads: int = 1
    repeats: int = 1
    """Times that a training epoch reads each clip."""
    test_flip: bool = False
    """True if each of these frame sets is evaluated mirrored, too."""

    @property
    def clip_shape(self) -> ClipShape:
        """Shape of one clip, as the network reads it."""
        return self.clip_input.clip_shape

    def num_clips(self, part: Part) -> int:
        """Return the number of clips of one part of the split."""
        return len(self.rows(part))

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Return the rows of one part's clips in the store, in the order of evaluation."""
        rows: NDArray[np.int64] = getattr(self.split, part)
        return rows

    @property
    def clips_per_epoch(self) -> int:
        """Number of clips that a training epoch reads, repeats included."""
        return self.repeats * self.num_clips("train")

    def class_sizes(self, part: Part, num_classes: int) -> NDArray[np.int64]:
        """Return the number of clips of every class in one part of the split: int64 [K]."""
        return np.bincount(self.clip_input.labels[self.rows(part)], minlength=num_classes)

    @property
    def num_training_batches(self) -> int:
        """Number of optimizer steps of an epoch."""
        return self._batches("train").num_training_batches

    def training_epoch(self, seed: int, share: Share = WHOLE) -> Iterator[tuple[ClipBatch, Tensor]]:
        """Yield shuffled, augmented training batches; the seed alone decides order, frames and augmentation.

        Args:
            seed: of the epoch.
            share: which clips of every batch are read, if several processes share the batches.

        Yields:
            float32 [R, *clip_shape] of the clips that are read, and int64 [B] of the whole batch, on the
            device; the former by name if the clip input has several parts. R is B if one process reads
            everything.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation"))
        for batch in self._batches("train").training_epoch(derive_seed(seed, "batches"), share):
            random = ClipRandom(generator, len(batch.labels_B), _positions(batch))
            yield self.clip_input.transform_train(batch.clips, random), batch.labels_B

    def evaluation_set(
        self,
        part: Part,
        set_index: int,
        num_sets: int,
        *,
        mirrored: bool = False,
        share: Share = WHOLE,
    ) -> Iterator[tuple[ClipBatch, Tensor]]:
        """Yield batches of one part in order, with the frames of one of ``num_sets`` sets.

        If several processes share the part, each has a slice of it; see `ClipLoader.evaluation_set`.
        """
        for batch in self._batches(part).evaluation_set(set_index, num_sets, share):
            yield self.clip_input.transform_eval(batch.clips, mirrored=mirrored), batch.labels_B

    def _batches(self, part: Part) -> ClipLoader:
        return ClipLoader(
            self.clip_input,
            self.rows(part),
            batch_size=self.batch_size,
            device=self.device,
            num_threads=self.num_threads,
            repeats=self.repeats,
        )


def _positions(batch: Batch) -> Tensor | None:
    if len(batch.positions_R) == len(batch.labels_B):
        return None
    return torch.from_numpy(batch.positions_R)
