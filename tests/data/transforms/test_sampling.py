"""Frame sampling: HAC's shared offset and PoseConv3D's independent offsets, for any number of frames."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.transforms.sampling import (
    evaluation_positions,
    evenly_spaced,
    random_positions,
    segment_positions,
    set_offset,
    spread_over_time,
)
from autohier.errors import InputError

offsets = st.floats(0, 1, exclude_max=True)
exact_offsets = st.integers(0, 2**20 - 1).map(lambda part: part / 2**20)
"""Fine enough to reach every frame and coarse enough that (segment + offset) is exact."""
counts = st.integers(1, 500)


def test_equal_segments_by_hand():
    # 24 frames in 8 segments of 3: the offset selects one of the three.
    starts = [0, 3, 6, 9, 12, 15, 18, 21]
    for offset, within in ((0.0, 0), (0.32, 0), (0.34, 1), (0.5, 1), (0.7, 2), (0.999, 2)):
        assert segment_positions(24, 8, offset).tolist() == [start + within for start in starts]


def test_uneven_segments_by_hand():
    # 10 frames in 4 segments of 2.5, from offset 0.5 on: 1.25, 3.75, 6.25, 8.75.
    assert segment_positions(10, 4, 0.5).tolist() == [1, 3, 6, 8]


def test_frames_repeat_if_there_are_too_few():
    assert segment_positions(1, 4, 0.9).tolist() == [0, 0, 0, 0]
    # Segments of half a frame: 0.25, 0.75, 1.25, 1.75.
    assert segment_positions(2, 4, 0.5).tolist() == [0, 0, 1, 1]


@given(counts, st.integers(1, 64), offsets)
def test_positions_exist_and_never_descend(num_kept, num_segments, offset):
    positions = segment_positions(num_kept, num_segments, offset)
    assert positions.dtype == np.int64
    assert positions.shape == (num_segments,)
    assert positions.min() >= 0
    assert positions.max() < num_kept
    assert (np.diff(positions) >= 0).all()


@given(counts, st.integers(1, 64), exact_offsets)
def test_each_frame_lies_in_its_own_segment(num_kept, num_segments, offset):
    # Segment i spans frames [i n/T, (i+1) n/T); a frame in it is one whose interval meets it. In integers.
    for index, position in enumerate(segment_positions(num_kept, num_segments, offset).tolist()):
        assert position * num_segments < (index + 1) * num_kept
        assert (position + 1) * num_segments > index * num_kept


@given(st.integers(1, 40), st.integers(1, 16), exact_offsets)
def test_equal_segments_share_one_offset(length, num_segments, offset):
    positions = segment_positions(length * num_segments, num_segments, offset)
    assert (np.diff(positions) == length).all()


@given(st.integers(1, 16), st.integers(1, 20))
def test_sets_together_contain_every_frame(num_segments, length):
    sets = [
        segment_positions(length * num_segments, num_segments, set_offset(index, length))
        for index in range(length)
    ]
    assert sorted(np.concatenate(sets).tolist()) == list(range(length * num_segments))


def test_sets_lie_in_the_middles_of_equal_parts():
    assert [set_offset(index, 5) for index in range(5)] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert set_offset(0, 1) == 0.5


num_frames_of_clips = st.lists(st.integers(1, 200), min_size=1, max_size=8)


def slow_uniform(num_kept, num_segments, draws, start):
    """Return the positions of one clip by PYSKL's rule, step by step, from T + 1 random numbers in [0, 1)."""
    if num_kept < num_segments:
        return [(start + step) % num_kept for step in range(num_segments)]
    if num_kept < 2 * num_segments:
        lowest_first = sorted(range(num_segments + 1), key=lambda place: draws[place])
        skips = set(lowest_first[: num_kept - num_segments])
        positions, position = [], 0
        for place in range(num_segments):
            position += place in skips
            positions.append(position)
            position += 1
        return positions
    positions = []
    for segment in range(num_segments):
        first, stop = segment * num_kept // num_segments, (segment + 1) * num_kept // num_segments
        positions.append(first + int(draws[segment] * (stop - first)))
    return positions


@given(num_frames_of_clips, st.integers(1, 64), st.integers(0, 2**32))
def test_random_positions_equal_those_of_the_slow_rule(num_kept, num_segments, seed):
    positions = random_positions(np.array(num_kept), num_segments, np.random.default_rng(seed))
    draws = np.random.default_rng(seed).random((len(num_kept), num_segments + 1)).tolist()
    assert positions.dtype == np.int64
    assert positions.tolist() == [
        slow_uniform(each, num_segments, row, int(row[0] * each))
        for each, row in zip(num_kept, draws, strict=True)
    ]


@given(num_frames_of_clips, st.integers(1, 64), st.integers(0, 2**32))
def test_random_positions_ascend_and_cover_the_clip(num_kept, num_segments, seed):
    positions = random_positions(np.array(num_kept), num_segments, np.random.default_rng(seed))
    for each, row in zip(num_kept, positions.tolist(), strict=True):
        assert 0 <= min(row) <= max(row) < each
        steps = set(np.diff(row).tolist())
        if each < num_segments:
            # Consecutive frames that wrap around: each frame occurs equally often or once more.
            counts = np.bincount(row, minlength=each)
            assert counts.max() - counts.min() <= 1
            assert steps <= {1, 1 - each}
        elif each < 2 * num_segments:
            # No two neighbors are skipped, also at the ends.
            assert steps <= {1, 2}
            assert row[0] <= 1
            assert row[-1] >= each - 2
        else:
            segments = [(position * num_segments + num_segments - 1) // each for position in row]
            assert segments == list(range(num_segments))


def test_all_choices_are_equally_likely():
    random = np.random.default_rng(0)
    # Four of six frames: two of five gaps skip a frame, which gives ten ways.
    rows = Counter(map(tuple, random_positions(np.full(20_000, 6), 4, random).tolist()))
    assert len(rows) == 10
    # 2000 each, within five standard deviations of 42.4.
    assert all(abs(count - 2000) < 212 for count in rows.values())
    # Segments of two and three frames.
    rows = Counter(map(tuple, random_positions(np.full(18_000, 5), 2, random).tolist()))
    assert set(rows) == {(first, second) for first in (0, 1) for second in (2, 3, 4)}
    assert all(abs(count - 3000) < 250 for count in rows.values())
    # Three consecutive frames, starting at either of the two.
    rows = Counter(map(tuple, random_positions(np.full(10_000, 2), 3, random).tolist()))
    assert set(rows) == {(0, 1, 0), (1, 0, 1)}
    assert abs(rows[0, 1, 0] - 5000) < 250


def test_with_equal_numbers_of_frames_and_segments_all_frames_are_used():
    assert random_positions(np.array([7]), 7, np.random.default_rng(1)).tolist() == [list(range(7))]


def test_positions_do_not_depend_on_the_lengths_of_other_clips():
    one = random_positions(np.array([3, 40, 90]), 16, np.random.default_rng(5))
    other = random_positions(np.array([70, 20, 90]), 16, np.random.default_rng(5))
    assert (one[2] == other[2]).all()


@given(num_frames_of_clips, st.integers(1, 64), st.integers(0, 20))
def test_an_evaluation_set_depends_only_on_its_index_and_the_clip(num_kept, num_segments, set_index):
    together = evaluation_positions(np.array(num_kept), num_segments, set_index, num_sets=10)
    for each, row in zip(num_kept, together, strict=True):
        assert (evaluation_positions(np.array([each]), num_segments, set_index, num_sets=10)[0] == row).all()


@given(num_frames_of_clips, st.integers(1, 64), st.integers(0, 9))
def test_evaluation_positions_equal_those_of_the_slow_rule(num_kept, num_segments, set_index):
    draws = np.random.default_rng(set_index).random(num_segments + 1).tolist()
    expected = [
        slow_uniform(each, num_segments, draws, set_index if each < 10 else set_index * each // 10)
        for each in num_kept
    ]
    assert evaluation_positions(np.array(num_kept), num_segments, set_index, num_sets=10).tolist() == expected


def test_evaluation_sets_differ():
    sets = [
        tuple(evaluation_positions(np.array([100]), 16, index, num_sets=10)[0].tolist())
        for index in range(10)
    ]
    assert len(set(sets)) == 10


def test_evaluation_sets_of_short_clips_start_at_equal_distances():
    starts = [
        evaluation_positions(np.array([20, 4]), 32, index, num_sets=10)[:, 0].tolist() for index in range(10)
    ]
    assert starts == [[2 * index, index % 4] for index in range(10)]


@pytest.mark.parametrize(
    "sample",
    [
        lambda num_kept: random_positions(num_kept, 4, np.random.default_rng(0)),
        lambda num_kept: evaluation_positions(num_kept, 4, 0, 1),
    ],
)
def test_a_clip_without_frames_cannot_be_sampled(sample):
    with pytest.raises(InputError, match="a clip must have a frame to be sampled, but got 0 frames"):
        sample(np.array([5, 0, 9]))


def test_no_clips_have_no_positions():
    assert random_positions(np.array([], dtype=np.int64), 4, np.random.default_rng(0)).shape == (0, 4)


def test_frames_of_equal_length_are_spread_by_number():
    for num_frames, max_frames in product((1, 2, 3, 7, 32, 33, 100), (1, 4, 32)):
        bounds_s = np.arange(num_frames + 1) / 30
        assert spread_over_time(bounds_s, max_frames) == evenly_spaced(num_frames, max_frames)
        # Containers round times to milliseconds, and state any duration for the last frame.
        rounded_s = np.append(bounds_s[:-1].round(3), bounds_s[-1] + 5)
        assert spread_over_time(rounded_s, max_frames) == evenly_spaced(num_frames, max_frames)


def test_frames_of_different_lengths_are_spread_by_time():
    # Shown at 0, 1, 2, 3, 13 s until 20 s: the middles of four parts are at 2.5, 7.5, 12.5 and 17.5 s.
    assert spread_over_time(np.array([0, 1, 2, 3, 13, 20.0]), 4) == (2, 3, 3, 4)
    # Those of five parts are at 2, 6, 10, 14 and 18 s; there are no more parts than frames.
    assert spread_over_time(np.array([0, 1, 2, 3, 13, 20.0]), 32) == (2, 3, 3, 4, 4)


@given(st.lists(st.floats(0.01, 10), min_size=3, max_size=50), st.integers(1, 60))
def test_the_kept_frames_are_those_shown_at_the_middles_of_equal_parts(durations, max_frames):
    bounds_s = np.cumsum([0, *durations])
    kept = spread_over_time(bounds_s, max_frames)
    assert len(kept) == min(len(durations), max_frames)
    assert list(kept) == sorted(kept)
    assert kept[0] >= 0
    assert kept[-1] < len(durations)
    if kept != evenly_spaced(len(durations), max_frames):
        for part, index in enumerate(kept):
            middle_s = (part + 0.5) * bounds_s[-1] / len(kept)
            assert bounds_s[index] - 1e-9 <= middle_s <= bounds_s[index + 1] + 1e-9
