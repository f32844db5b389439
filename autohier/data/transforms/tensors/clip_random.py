"""Random numbers of augmentation, one or more for every clip of a batch.

Legend: B clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ClipRandom:
    """Samples numbers for a batch, and returns those of the clips that this process reads.

    Numbers are always sampled for the whole batch, so that those of a clip do not depend on the number of
    processes that share the batch.
    """

    generator: torch.Generator
    """CPU generator, so that every device samples the same numbers."""
    num_clips: int
    """Number of clips of the whole batch."""
    positions_B: Tensor | None = None
    """Positions in the batch of the clips that are read; None for all."""

    @classmethod
    def seeded(cls, seed: int, num_clips: int) -> ClipRandom:
        """Return the random numbers of a whole batch from a new generator."""
        return cls(torch.Generator().manual_seed(seed), num_clips)

    def uniform(self, *shape: int) -> Tensor:
        """Sample numbers in [0, 1): float32 [B, *shape]."""
        return self._own(torch.rand(self.num_clips, *shape, generator=self.generator))

    def uniform_sets(self, number: int, *shape: int) -> Tensor:
        """Sample several sets of numbers in [0, 1), one set after the other: float32 [number, B, *shape]."""
        return self._own(torch.rand(number, self.num_clips, *shape, generator=self.generator), axis=1)

    def integers(self, low: int, high: int) -> Tensor:
        """Sample integers in [low, high): int64 [B]."""
        return self._own(torch.randint(low, high, (self.num_clips,), generator=self.generator))

    def _own(self, numbers: Tensor, axis: int = 0) -> Tensor:
        return numbers if self.positions_B is None else numbers.index_select(axis, self.positions_B)
