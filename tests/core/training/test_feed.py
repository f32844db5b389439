"""The feed: what a network is given of a split, from clips whose pixels tell which frame they are."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from autohier.core.training.feed import Feed, Part
from autohier.data.forms.frames import FrameForm
from autohier.data.splits import Split
from autohier.data.store.reader import ClipStore
from autohier.digest import derive_seed
from tiny_clips import TRAINING_SUBJECTS, open_tiny_trial, tiny_setting

NUM_CLIPS, NUM_KEPT, STORED_PX = 11, 4, 9
SPLIT = Split(train=np.arange(7), validation=np.array([7, 9]), test=np.array([8, 10]))


class GreyClips:
    """Depth clips: frame t of clip n is 20 n + t in its left half and 1 more in its right half."""

    clips = SimpleNamespace(label=np.arange(NUM_CLIPS, dtype=np.int64) % 3)

    def num_kept(self, row: int) -> int:  # noqa: ARG002
        return NUM_KEPT

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        side = size_px or STORED_PX
        frames_THWC = np.empty((len(positions), side, side, 1), dtype=np.uint8)
        frames_THWC[:] = np.array([20 * row + position for position in positions])[:, None, None, None]
        frames_THWC[:, :, side // 2 :] += 1
        return frames_THWC


def make_feed(**changes: object) -> Feed:
    reading: dict[str, object] = {"num_frames": 2, "resize_px": 8, "crop_px": 6, "flip": False}
    feeding: dict[str, object] = {"batch_size": 3, "num_threads": 1}
    form = FrameForm(GreyClips(), channels=1, **{name: changes.get(name, reading[name]) for name in reading})  # type: ignore[arg-type]
    return Feed(
        form,
        SPLIT,
        test_sets=2,
        device=torch.device("cpu"),
        **{name: changes.get(name, feeding[name]) for name in feeding},  # type: ignore[arg-type]
    )


def levels(clips_BCTHW: torch.Tensor) -> torch.Tensor:
    """Bytes again: depth is normalised with mean 0 and a deviation of a quarter of the range."""
    return (clips_BCTHW * 0.25 * 255).round().long()


def rows_of(clips_BCTHW: torch.Tensor) -> list[int]:
    return [int(value) // 20 for value in levels(clips_BCTHW)[:, 0, 0, 0, 0]]


def test_shapes_and_types() -> None:
    feed = make_feed()
    assert feed.clip_shape == (1, 2, 6, 6)
    for batches in (feed.training_epoch(0), feed.evaluation_set("validation", 0, 2)):
        for clips_BCTHW, labels_B in batches:
            assert clips_BCTHW.shape == (len(labels_B), *feed.clip_shape)
            assert clips_BCTHW.dtype == torch.float32
            assert labels_B.dtype == torch.int64
            assert clips_BCTHW.is_contiguous(memory_format=torch.channels_last_3d)


def test_a_training_epoch_holds_every_clip_once_with_its_label() -> None:
    seen = []
    for clips_BCTHW, labels_B in make_feed().training_epoch(5):
        rows = rows_of(clips_BCTHW)
        assert labels_B.tolist() == [row % 3 for row in rows]
        seen += rows
    assert sorted(seen) == SPLIT.train.tolist()
    assert seen != SPLIT.train.tolist()


def test_batches_are_as_equal_as_can_be() -> None:
    # Seven clips in batches of at most three: none of a single clip.
    assert [len(labels_B) for _, labels_B in make_feed().training_epoch(0)] == [3, 2, 2]


def epoch_bytes(feed: Feed, seed: int) -> bytes:
    return b"".join(
        clips.numpy().tobytes() + labels.numpy().tobytes() for clips, labels in feed.training_epoch(seed)
    )


def test_equal_seeds_give_equal_bytes_whatever_the_threads() -> None:
    feed = make_feed(flip=True)
    assert epoch_bytes(feed, 3) == epoch_bytes(feed, 3) == epoch_bytes(make_feed(flip=True, num_threads=3), 3)
    assert len({epoch_bytes(feed, seed) for seed in range(5)}) == 5


def test_the_order_and_the_crops_follow_from_the_seed_each() -> None:
    feed = make_feed(crop_px=4, batch_size=7)
    orders, crops = set(), set()
    for seed in range(5):
        ((clips_BCTHW, _),) = feed.training_epoch(seed)
        orders.add(tuple(rows_of(clips_BCTHW)))
        # Where each place of the batch sees the border between the halves.
        crops.add(tuple(levels(clips_BCTHW)[:, 0, 0, 0].diff(dim=1).argmax(dim=1).tolist()))
    assert len(orders) == len(crops) == 5


def test_what_a_process_drew_before_does_not_matter() -> None:
    feed = make_feed(flip=True)
    before = epoch_bytes(feed, 1)
    torch.manual_seed(7)
    torch.rand(3)
    state = torch.get_rng_state()
    assert epoch_bytes(feed, 1) == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("set_index", "positions"), [(0, (0, 2)), (1, (1, 3))])
def test_an_evaluation_set_has_its_own_frames_in_the_split_s_order(
    set_index: int, positions: tuple[int, int]
) -> None:
    # Two segments of two frames each; the two sets take a quarter and three quarters of a segment.
    ((clips_BCTHW, labels_B),) = make_feed().evaluation_set("validation", set_index, 2)
    assert labels_B.tolist() == [7 % 3, 9 % 3]
    for clip, row in zip(levels(clips_BCTHW), (7, 9), strict=True):
        assert clip[0, :, 0, 0].tolist() == [20 * row + position for position in positions]


def test_evaluation_crops_the_centre() -> None:
    # Of eight columns, four of each half, the six in the middle are three of each.
    ((clips_BCTHW, _),) = make_feed().evaluation_set("test", 0, 2)
    columns = (levels(clips_BCTHW)[0, 0, 0, 0] - 20 * 8).tolist()
    assert columns == [0, 0, 0, 1, 1, 1]


def test_training_crops_where_the_seed_says_and_evaluation_never_moves() -> None:
    feed = make_feed(crop_px=4, batch_size=7)
    borders = set()
    for seed in range(8):
        ((clips_BCTHW, _),) = feed.training_epoch(seed)
        rows = levels(clips_BCTHW)[:, 0, 0, 0]
        borders |= {int((row == row[0]).sum()) for row in rows}
    # Four of eight columns begin at columns 0 to 4 and are as many of one half: 4, 3, 2, 1 and 4 again.
    assert borders == {1, 2, 3, 4}
    again = [
        [clips.numpy().tobytes() for clips, _ in feed.evaluation_set("validation", 1, 2)] for _ in range(2)
    ]
    assert again[0] == again[1]


def test_mirroring_turns_about_half_of_the_clips() -> None:
    feed = make_feed(flip=True, crop_px=8, batch_size=7)
    turned = 0
    for seed in range(10):
        ((clips_BCTHW, _),) = feed.training_epoch(seed)
        turned += int((levels(clips_BCTHW)[:, 0, 0, 0, 0] > levels(clips_BCTHW)[:, 0, 0, 0, -1]).sum())
    # 70 fair coins: outside of 18 to 52 once in ten thousand.
    assert 18 <= turned <= 52
    still = make_feed(crop_px=8, batch_size=7)
    ((clips_BCTHW, _),) = still.training_epoch(0)
    assert bool((levels(clips_BCTHW)[..., 0] < levels(clips_BCTHW)[..., -1]).all())


@pytest.mark.parametrize(("part", "num"), [("train", 7), ("validation", 2), ("test", 2)])
def test_every_part_is_its_own(part: Part, num: int) -> None:
    feed = make_feed()
    seen = [row for clips, _ in feed.evaluation_set(part, 0, 1) for row in rows_of(clips)]
    assert seen == getattr(SPLIT, part).tolist()
    assert feed.num_clips(part) == num


def test_real_clips_are_normalised_by_colour_and_covered_once(tiny_clips: ClipStore, tmp_path) -> None:
    feed = open_tiny_trial(tiny_setting("clips.crop_px=16"), tiny_clips, tmp_path).feed
    labels = torch.cat([labels_B for _, labels_B in feed.training_epoch(derive_seed(0, 1))])
    assert labels.bincount().tolist() == [len(TRAINING_SUBJECTS) * 4] * 6
    clips_BCTHW, _ = next(feed.evaluation_set("test", 0, 1))
    row = int(feed.split.test[0])
    # Of four kept frames in two segments, the middles of the segments are frames 1 and 3.
    frames_THWC = tiny_clips.frames(row, [1, 3]).astype(np.float64) / 255
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    by_hand = ((frames_THWC - mean) / deviation).transpose(3, 0, 1, 2)
    np.testing.assert_allclose(clips_BCTHW[0].numpy(), by_hand, rtol=0, atol=1e-5)
