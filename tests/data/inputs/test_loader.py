"""Batches of a store whose pixels encode clip and frame."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.loader import ClipLoader
from autohier.data.transforms.sampling import segment_positions
from autohier.errors import MissingDataError
from support.waiting import wait_until

CPU = torch.device("cpu")


class FakeStore:
    """Row r holds 10 + r frames; every pixel of its frame p is (r, p, size)."""

    def __init__(self, num_rows=40, *, broken_row=None):
        self.clips = SimpleNamespace(label=np.arange(num_rows, dtype=np.int64) % 7)
        self.broken_row = broken_row
        self.reads = []
        self.slow = False

    def num_kept(self, row):
        return 10 + row

    def frames(self, row, positions, *, size_px=None):
        self.reads.append(row)
        if self.slow:
            # Earlier rows take longer, so that threads finish in another order than they started.
            time.sleep(0.02 / (row + 1))
        if row == self.broken_row:
            raise MissingDataError(f"clip {row} does not decode")
        side = size_px or 6
        frames = np.empty((len(positions), side, side, 3), dtype=np.uint8)
        frames[..., 0], frames[..., 2] = row, side
        frames[..., 1] = np.array(positions)[:, None, None]
        return frames


class BlockingInput(FrameInput):
    """Frame input that holds Python's global lock while it reads."""

    frees_interpreter = False


def make(store=None, rows=range(3, 20), clip_input=FrameInput, **options):
    rows = np.array(rows, dtype=np.int64)
    sizes = {name: options.pop(name, value) for name, value in (("num_frames", 4), ("resize_px", 8))}
    read = clip_input(store or FakeStore(), channels=3, crop_px=6, **sizes)
    return ClipLoader(read, rows, **{"batch_size": 5, "device": CPU, **options})


def rows_of(batches):
    return [batch.clips[:, 0, 0, 0, 0].tolist() for batch in batches]


def decoding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_batch_holds_the_bytes_and_labels_of_its_clips():
    store = FakeStore()
    for batch in make(store).training_epoch(0):
        assert batch.clips.dtype == torch.uint8
        assert batch.labels_B.dtype == torch.int64
        assert batch.clips.shape[1:] == (4, 8, 8, 3)
        rows = batch.clips[..., 0].flatten(1)
        assert (rows == rows[:, :1]).all()
        assert (batch.clips[..., 2] == 8).all()
        assert batch.labels_B.tolist() == [int(store.clips.label[row]) for row in rows[:, 0].tolist()]


@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**31 - 1))
def test_an_epoch_holds_every_row_once_in_batches_of_equal_size(num_rows, batch_size, seed):
    sizes, seen = [], []
    for rows in rows_of(make(rows=range(num_rows), batch_size=batch_size).training_epoch(seed)):
        sizes.append(len(rows))
        seen += rows
    assert sorted(seen) == list(range(num_rows))
    assert len(sizes) == -(-num_rows // batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_repeats_read_every_row_several_times_at_other_offsets():
    loader = make(rows=range(25, 40), batch_size=8, repeats=3)
    batches = list(loader.training_epoch(0))
    assert loader.num_training_batches == len(batches) == 6  # 45 clips, at most 8 at a time
    seen = sorted(row for rows in rows_of(batches) for row in rows)
    assert seen == [row for row in range(25, 40) for _ in range(3)]
    labels = torch.cat([batch.labels_B for batch in batches]).tolist()
    assert labels == [row % 7 for rows in rows_of(batches) for row in rows]
    first_frames = {row: set() for row in range(25, 40)}
    for batch in batches:
        for row, frame in batch.clips[:, 0, 0, 0, :2].tolist():
            first_frames[row].add(frame)
    assert sum(len(frames) > 1 for frames in first_frames.values()) > 10
    (once,) = [list(make(repeats=1).evaluation_set(0, 2))]
    assert rows_of(once) == rows_of(make(repeats=3).evaluation_set(0, 2))


@pytest.mark.parametrize("num_threads", [1, 3])
def test_order_and_frames_depend_only_on_the_seed(num_threads):
    def epoch(seed, threads=1):
        store = FakeStore()
        store.slow = threads > 1
        batches = make(store, num_threads=threads).training_epoch(seed)
        return torch.cat([batch.clips[:, :, 0, 0, :2] for batch in batches])

    assert torch.equal(epoch(4), epoch(4, num_threads))
    assert not torch.equal(epoch(4), epoch(5))
    assert epoch(4)[:, 0, 0].tolist() != list(range(3, 20))


def test_training_frames_share_one_offset_per_clip():
    offsets = np.linspace(0, 1, 2000, endpoint=False)
    for batch in make(num_frames=8).training_epoch(1):
        for clip in batch.clips[:, :, 0, 0]:
            num_kept = 10 + int(clip[0, 0])
            possible = {tuple(segment_positions(num_kept, 8, offset).tolist()) for offset in offsets}
            assert tuple(clip[:, 1].tolist()) in possible


def test_clips_have_different_offsets():
    first = [
        clip[0, 1].item()
        for batch in make(rows=range(25, 40), num_frames=1).training_epoch(1)
        for clip in batch.clips[:, :, 0, 0]
    ]
    assert len(set(first)) > 5


def test_an_evaluation_set_is_in_order_with_its_own_frames():
    # Clip 6 has 16 frames: 4 segments of 4; set 0 is at a quarter of each segment, set 1 at three quarters.
    for set_index, positions in ((0, [1, 5, 9, 13]), (1, [3, 7, 11, 15])):
        batches = list(make().evaluation_set(set_index, 2))
        assert rows_of(batches) == [[3, 4, 5, 6, 7], [8, 9, 10, 11, 12], [13, 14, 15, 16, 17], [18, 19]]
        assert batches[0].clips[3, :, 0, 0, 1].tolist() == positions


def test_without_resize_frames_have_the_stored_size():
    batch = next(iter(make(resize_px=None).evaluation_set(0, 1)))
    assert batch.clips.shape == (5, 4, 6, 6, 3)


def test_two_batches_are_read_ahead():
    store = FakeStore()
    batches = make(store, rows=range(40)).evaluation_set(0, 1)
    next(batches)
    wait_until(lambda: len(store.reads) >= 15, "two more batches are read")
    # The yielded batch and two more.
    assert sorted(store.reads) == list(range(15))
    batches.close()


def test_an_input_that_blocks_the_interpreter_is_read_on_demand_with_equal_results():
    store = FakeStore()
    blocking, ahead = (
        make(store, clip_input=clip_input, num_threads=3) for clip_input in (BlockingInput, FrameInput)
    )
    batches = blocking.training_epoch(4)
    first = next(batches)
    assert len(store.reads) == len(first.labels_B)
    assert decoding_threads() == []
    for one, other in zip([first, *batches], ahead.training_epoch(4), strict=True):
        assert one.clips.equal(other.clips)
        assert one.labels_B.equal(other.labels_B)


def test_no_thread_outlives_the_iteration():
    batches = make(num_threads=3)
    list(batches.training_epoch(0))
    assert decoding_threads() == []
    abandoned = batches.training_epoch(0)
    next(abandoned)
    assert decoding_threads()
    abandoned.close()
    assert decoding_threads() == []


def test_a_clip_that_does_not_decode_ends_the_iteration():
    batches = make(FakeStore(broken_row=9), num_threads=3).evaluation_set(0, 1)
    assert next(batches).clips[0, 0, 0, 0, 0] == 3
    with pytest.raises(MissingDataError, match="clip 9 does not decode"):
        next(batches)
    assert decoding_threads() == []
