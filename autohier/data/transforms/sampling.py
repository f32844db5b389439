"""Sampling of frames: one frame from each of T equal segments of a clip.

HAC section 4.1: the offset within the first segment is random and the same in all segments
(`segment_positions`). PoseConv3D section 3.2, uniform sampling: every segment has its own offset, by PYSKL's
rules, which repeat no frame of a clip that has enough (`random_positions`, `evaluation_positions`). P-I3D
reads consecutive frames instead, from a random start (`row_positions`). Positions count the frames that the
store kept.

Shape letters: B clips, T segments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.errors import InputError


def evenly_spaced(num_frames: int, max_frames: int) -> tuple[int, ...]:
    """Return ascending indices of at most ``max_frames`` frames: the middles of equal parts of the clip."""
    num_kept = min(num_frames, max_frames)
    return tuple((2 * part + 1) * num_frames // (2 * num_kept) for part in range(num_kept))


def spread_over_time(bounds_s_N1: NDArray[np.float64], max_frames: int) -> tuple[int, ...]:
    """Return the indices of the frames that are shown in the middles of equal parts of a clip's time.

    If all frames are equally long, up to the rounding of their times, this is `evenly_spaced`. Otherwise a
    frame that is shown for several parts is repeated, and frames between two middles are left out.

    Args:
        bounds_s_N1: start of each frame, ascending, and the end of the last.
        max_frames: largest number of parts; a clip of fewer frames has as many parts as frames.

    Returns:
        Indices that never descend.
    """
    starts_s_N = bounds_s_N1[:-1]
    num_frames = len(starts_s_N)
    regular_s_N, step_s = np.linspace(starts_s_N[0], starts_s_N[-1], num_frames, retstep=True)
    if num_frames < 3 or (np.abs(starts_s_N - regular_s_N) < step_s / 2).all():
        return evenly_spaced(num_frames, max_frames)
    num_kept = min(num_frames, max_frames)
    middles = (2 * np.arange(num_kept) + 1) / (2 * num_kept)
    times_s = bounds_s_N1[0] + middles * (bounds_s_N1[-1] - bounds_s_N1[0])
    return tuple((np.searchsorted(starts_s_N, times_s, side="right") - 1).tolist())


def segment_positions(num_kept: int, num_segments: int, offset_fraction: float) -> NDArray[np.int64]:
    """Return the positions of one frame per segment, at the same offset in all segments.

    Args:
        num_kept: number of frames of the clip, at least 1.
        num_segments: T; if it exceeds the number of frames, frames repeat.
        offset_fraction: place of the frame in its segment, in [0, 1).

    Returns:
        int64 [T], never descending, in 0..num_kept-1.
    """
    segments = np.arange(num_segments) + offset_fraction
    positions: NDArray[np.int64] = np.floor(segments * num_kept / num_segments).astype(np.int64)
    return positions.clip(0, num_kept - 1)


def row_positions(num_kept: int, num_frames: int, offset_fraction: float) -> NDArray[np.int64]:
    """Return the positions of consecutive frames, repeated from the first one if the clip is shorter.

    Args:
        num_kept: number of frames of the clip, at least 1.
        num_frames: T.
        offset_fraction: place of the first frame among all possible ones, in [0, 1).

    Returns:
        int64 [T], in 0..num_kept-1.
    """
    num_starts = num_kept - num_frames + 1 if num_kept >= num_frames else num_kept
    start = min(int(offset_fraction * num_starts), num_starts - 1)
    return (start + np.arange(num_frames, dtype=np.int64)) % num_kept


def set_offset(set_index: int, num_sets: int) -> float:
    """Return the offset fraction of an evaluation set: the middle of one of ``num_sets`` equal parts."""
    return (set_index + 0.5) / num_sets


def random_positions(
    num_kept_B: NDArray[np.int64], num_segments: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Sample one position per segment, independently in each segment, for training.

    For a clip of n frames:

    * 2 T <= n: one frame of each segment i n // T .. (i + 1) n // T - 1, all equally likely;
    * T <= n < 2 T: all but n - T frames, never two neighbors left out, all such choices equally likely;
    * n < T: T consecutive frames from a random start, wrapping around at the end of the clip.

    Positions therefore ascend if n >= T. Every clip uses T + 1 random numbers, for any length.

    Args:
        num_kept_B: number of frames of each clip, at least 1.
        num_segments: T.
        random: generator; B (T + 1) numbers are taken from it.

    Returns:
        int64 [B, T], row by row in 0..num_kept-1.

    Raises:
        InputError: if a clip has no frame.
    """
    draws_BT1 = random.random((len(num_kept_B), num_segments + 1))
    starts_B = np.floor(draws_BT1[:, 0] * num_kept_B).astype(np.int64)
    return _uniform(num_kept_B, draws_BT1, starts_B)


def evaluation_positions(
    num_kept_B: NDArray[np.int64], num_segments: int, set_index: int, num_sets: int
) -> NDArray[np.int64]:
    """Return the positions of one of several evaluation sets: as `random_positions`, but deterministic.

    The positions of a clip depend only on its number of frames and the set, not on its batch: all clips share
    the random numbers of a set, which its index seeds. (PYSKL draws its sets one after the other from the
    seed 255.) The sets of a clip with n < T frames start at equal distances, or one frame apart if there are
    more sets than frames.

    Args:
        num_kept_B: number of frames of each clip, at least 1.
        num_segments: T.
        set_index: 0-based number of the set.
        num_sets: number of sets.

    Returns:
        int64 [B, T], row by row in 0..num_kept-1.

    Raises:
        InputError: if a clip has no frame.
    """
    draws_T1 = np.random.default_rng(set_index).random(num_segments + 1)
    starts_B = np.where(num_kept_B < num_sets, set_index, set_index * num_kept_B // num_sets)
    return _uniform(num_kept_B, np.tile(draws_T1, (len(num_kept_B), 1)), starts_B)


def _uniform(
    num_kept_B: NDArray[np.int64], draws_BT1: NDArray[np.float64], starts_B: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Compute the positions of all three rules at once, then select each clip's rule."""
    if len(num_kept_B) and num_kept_B.min() < 1:
        raise InputError("a clip must have a frame to be sampled", got=f"{num_kept_B.min()} frames")
    num_kept_B1 = num_kept_B[:, None]
    num_segments = draws_BT1.shape[1] - 1
    segments_T = np.arange(num_segments)

    wrapped_BT = (starts_B[:, None] + segments_T) % num_kept_B1

    # Of the T + 1 gaps before, between and behind the T frames, those with the lowest draws skip a frame.
    ranks_BT1 = draws_BT1.argsort(axis=1).argsort(axis=1)
    skipped_BT1 = ranks_BT1 < num_kept_B1 - num_segments
    sparse_BT = segments_T + skipped_BT1.cumsum(axis=1)[:, :-1]

    bounds_BT1 = np.arange(num_segments + 1) * num_kept_B1 // num_segments
    within_BT = np.floor(draws_BT1[:, :-1] * np.diff(bounds_BT1, axis=1)).astype(np.int64)
    spread_BT = bounds_BT1[:, :-1] + within_BT

    positions_BT = np.where(num_kept_B1 < 2 * num_segments, sparse_BT, spread_BT)
    return np.where(num_kept_B1 < num_segments, wrapped_BT, positions_BT)
