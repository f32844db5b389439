"""Share of one of several processes in every batch: they read and compute a batch together.

Legend: B clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Share:
    """Positions within a batch that the process of one rank reads and computes.

    A batch is first cut into parts (micro-batches), as one process does, and each part is then sliced over
    the ranks. So the clips of a part do not depend on the number of ranks.
    """

    rank: int = 0
    width: int = 1
    """Number of processes."""
    parts: int = 1
    """Number of parts that a batch is computed in, one after the other; at most one part per clip."""

    def slice_of(self, number: int) -> range:
        """Return this rank's slice of number things; slices differ by at most one."""
        each, rest = divmod(number, self.width)
        start = self.rank * each + min(self.rank, rest)
        return range(start, start + each + (self.rank < rest))

    def parts_of(self, num_clips: int) -> list[PartShare]:
        """Return this rank's share of every part of a batch of at least one clip."""
        size = -(-num_clips // self.parts)
        starts = range(0, num_clips, size)
        return [self._part(start, min(size, num_clips - start)) for start in starts]

    def positions(self, num_clips: int) -> NDArray[np.int64]:
        """Return the positions in the batch of the clips that this rank reads.

        A rank without clips reads the first clip: it takes part in the computation with weight zero.
        """
        own = [np.arange(part.start, part.start + part.num_own) for part in self.parts_of(num_clips)]
        positions: NDArray[np.int64] = np.concatenate(own)
        return positions if len(positions) else np.zeros(1, dtype=np.int64)

    def _part(self, start: int, num_clips: int) -> PartShare:
        own = self.slice_of(num_clips)
        return PartShare(start=start + own.start, first=own.start, num_own=len(own), num_clips=num_clips)


@dataclass(frozen=True, slots=True)
class PartShare:
    """Rows of one part of a batch that the process of one rank computes."""

    start: int
    """Position of the first row in the batch."""
    first: int
    """Position of the first row in the part."""
    num_own: int
    """Number of rows; 0 if the part has fewer clips than there are ranks."""
    num_clips: int
    """Number of rows of all ranks."""


WHOLE = Share()
"""Share of a process that computes alone."""
