"""Segment sampling: HAC's one shared offset, whatever the number of frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.preprocessing.sampling import segment_positions, set_offset

offsets = st.floats(0, 1, exclude_max=True)
exact_offsets = st.integers(0, 2**20 - 1).map(lambda part: part / 2**20)
"""Fine enough to meet every frame and coarse enough that (segment + offset) is exact."""
counts = st.integers(1, 500)


def test_equal_segments_by_hand():
    # 24 frames in 8 segments of 3: the offset says which of the three.
    starts = [0, 3, 6, 9, 12, 15, 18, 21]
    for offset, within in ((0.0, 0), (0.32, 0), (0.34, 1), (0.5, 1), (0.7, 2), (0.999, 2)):
        assert segment_positions(24, 8, offset).tolist() == [start + within for start in starts]


def test_uneven_segments_by_hand():
    # 10 frames in 4 segments of 2.5, from offset 0.5 on: 1.25, 3.75, 6.25, 8.75.
    assert segment_positions(10, 4, 0.5).tolist() == [1, 3, 6, 8]


def test_frames_repeat_where_there_are_too_few():
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
def test_sets_together_see_every_frame(num_segments, length):
    sets = [
        segment_positions(length * num_segments, num_segments, set_offset(index, length))
        for index in range(length)
    ]
    assert sorted(np.concatenate(sets).tolist()) == list(range(length * num_segments))


def test_sets_lie_in_the_middles_of_equal_parts():
    assert [set_offset(index, 5) for index in range(5)] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert set_offset(0, 1) == 0.5
