"""Frame sampling: one frame from each of T equal segments of a clip.

HAC section 4.1: the offset of the first frame is random in the first segment and the same in all others
(`segment_positions`). PoseConv3D section 3.2, uniform sampling: every segment has an offset of its own,
plainly (`uniform_positions`) or by PYSKL's rules, which repeat no frame of a clip that has enough
(`draw_positions`, `take_positions`). Positions count the frames that the store kept.

Shape letters: B clips, T segments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.errors import InputError


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


def draw_positions(
    num_kept_B: NDArray[np.int64], num_segments: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of one random frame per segment, drawn for every segment by itself, for training.

    With n frames in a clip:

    * 2 T <= n: one frame of each segment i n // T .. (i + 1) n // T - 1, all of them equally likely;
    * T <= n < 2 T: all but n - T frames, no two neighbours left out, all such choices equally likely;
    * n < T: T frames in a row from a random one on, beginning again behind the last.

    So positions ascend where n >= T, and a clip takes T + 1 draws whatever its length.

    Args:
        num_kept_B: frames to choose from, at least 1.
        num_segments: T.
        random: is moved on by B (T + 1) draws.

    Returns:
        int64 [B, T], row by row in 0..num_kept-1.

    Raises:
        InputError: where a clip has no frame.
    """
    draws_BT1 = random.random((len(num_kept_B), num_segments + 1))
    starts_B = np.floor(draws_BT1[:, 0] * num_kept_B).astype(np.int64)
    return _uniform(num_kept_B, draws_BT1, starts_B)


def take_positions(
    num_kept_B: NDArray[np.int64], num_segments: int, set_index: int, num_sets: int
) -> NDArray[np.int64]:
    """Positions of one of several evaluation sets: as `draw_positions`, but always the same.

    Positions of a clip follow from its number of frames and the set alone, not from the batch it comes in:
    all clips share the draws of a set, which its index seeds. (PYSKL draws its sets one after the other from
    the seed 255.) Sets of a clip with n < T frames begin at equal distances, one frame apart where there are
    more sets than frames.

    Args:
        num_kept_B: frames to choose from, at least 1.
        num_segments: T.
        set_index: from 0.
        num_sets: sets of a clip.

    Returns:
        int64 [B, T], row by row in 0..num_kept-1.

    Raises:
        InputError: where a clip has no frame.
    """
    draws_T1 = np.random.default_rng(set_index).random(num_segments + 1)
    starts_B = np.where(num_kept_B < num_sets, set_index, set_index * num_kept_B // num_sets)
    return _uniform(num_kept_B, np.tile(draws_T1, (len(num_kept_B), 1)), starts_B)


def _uniform(
    num_kept_B: NDArray[np.int64], draws_BT1: NDArray[np.float64], starts_B: NDArray[np.int64]
) -> NDArray[np.int64]:
    """All three rules at once; each clip takes its own."""
    if len(num_kept_B) and num_kept_B.min() < 1:
        raise InputError("a clip must have a frame to be sampled", got=f"{num_kept_B.min()} frames")
    num_kept_B1 = num_kept_B[:, None]
    num_segments = draws_BT1.shape[1] - 1
    in_a_row_T = np.arange(num_segments)

    wrapped_BT = (starts_B[:, None] + in_a_row_T) % num_kept_B1

    # Of the T + 1 places before, between and behind the T frames, those of the lowest draws leave one out.
    ranks_BT1 = draws_BT1.argsort(axis=1).argsort(axis=1)
    left_out_BT1 = ranks_BT1 < num_kept_B1 - num_segments
    sparse_BT = in_a_row_T + left_out_BT1.cumsum(axis=1)[:, :-1]

    bounds_BT1 = np.arange(num_segments + 1) * num_kept_B1 // num_segments
    within_BT = np.floor(draws_BT1[:, :-1] * np.diff(bounds_BT1, axis=1)).astype(np.int64)
    spread_BT = bounds_BT1[:, :-1] + within_BT

    chosen_BT = np.where(num_kept_B1 < 2 * num_segments, sparse_BT, spread_BT)
    return np.where(num_kept_B1 < num_segments, wrapped_BT, chosen_BT)
