"""Frames of tests at fixed and at drawn offsets."""

import numpy as np
import pytest

from autohier.data.inputs.frames import FrameInput


class NumberedFrames:
    """Store whose clips have 40 frames, each one pixel with the number of the frame."""

    def num_kept(self, row):  # noqa: ARG002
        return 40

    def frames(self, row, positions, *, size_px=None):  # noqa: ARG002
        return np.array(positions, dtype=np.uint8).reshape(-1, 1, 1, 1)


def read(offsets, row, set_index):
    clip_input = FrameInput(
        NumberedFrames(), 1, num_frames=8, resize_px=None, crop_px=1, test_offsets=offsets
    )
    return clip_input.read_eval(row, set_index, 5).ravel().tolist()


@pytest.mark.parametrize("row", [0, 3])
def test_fixed_offsets_are_those_of_the_set_for_every_clip(row):
    # Eight segments of five frames; set k of five has the middle of the k-th fifth of each segment.
    for set_index in range(5):
        assert read("fixed", row, set_index) == [5 * segment + set_index for segment in range(8)]


def test_drawn_offsets_are_equal_in_all_segments_and_differ_by_clip_and_set():
    offsets = {
        (row, set_index): read("drawn", row, set_index)[0] for row in range(40) for set_index in range(5)
    }
    for (row, set_index), offset in offsets.items():
        assert read("drawn", row, set_index) == [5 * segment + offset for segment in range(8)]
    counts = np.bincount(list(offsets.values()), minlength=5)
    # 200 draws of 5 equally likely offsets: 40 each, with a deviation of sqrt(200 * 0.2 * 0.8) = 5.7.
    assert counts.sum() == 200
    assert np.abs(counts - 40).max() < 4 * 5.7
    by_clip = {tuple(offsets[row, set_index] for set_index in range(5)) for row in range(40)}
    assert len(by_clip) > 30
