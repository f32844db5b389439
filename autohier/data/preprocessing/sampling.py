"""Frame sampling: one frame from each of T equal segments, with one offset shared by all of them.

HAC section 4.1: a clip is divided into segments, the offset of the first frame is random in the first segment
and the same in all others. Positions count the frames that the store kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def segment_positions(num_kept: int, num_segments: int, offset_fraction: float) -> NDArray[np.int64]:
    """Positions of one frame per segment.

    Args:
        num_kept: frames to choose from, at least 1.
        num_segments: T; where there are more segments than frames, frames repeat.
        offset_fraction: where in its segment each frame lies, in [0, 1).

    Returns:
        int64 [T], never descending, in 0..num_kept-1.
    """
    segments = np.arange(num_segments) + offset_fraction
    positions: NDArray[np.int64] = np.floor(segments * num_kept / num_segments).astype(np.int64)
    return positions.clip(0, num_kept - 1)


def set_offset(set_index: int, num_sets: int) -> float:
    """The offset fraction of one of several evaluation sets: the middles of equal parts of a segment."""
    return (set_index + 0.5) / num_sets


def uniform_positions(num_kept: int, within_T: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of one frame in each of T equal parts of a clip, each where its own number says.

    Args:
        num_kept: frames to choose from, at least 1.
        within_T: where in its part each frame lies, in [0, 1); where there are more parts than frames,
            frames repeat.

    Returns:
        int64 [T], never descending, in 0..num_kept-1.
    """
    positions: NDArray[np.int64] = ((np.arange(len(within_T)) + within_T) * num_kept / len(within_T)).astype(
        np.int64
    )
    return positions.clip(0, num_kept - 1)
