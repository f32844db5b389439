"""The data loader, on clips whose pixel values encode the clip and the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from autohier.core.training.data_loader import DataLoader, Part
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.share import Share
from autohier.data.splits import Split
from autohier.data.store.reader import ClipStore
from autohier.digest import derive_seed
from support.sources.tiny_clips import TRAINING_SUBJECTS, open_tiny_trial, tiny_config

NUM_CLIPS, NUM_KEPT, STORED_PX = 11, 4, 9
SPLIT = Split(train=np.arange(7), validation=np.array([7, 9]), test=np.array([8, 10]))


class GreyClips:
    """Depth clips: frame t of clip n has the value 20 n + t in its left half, 1 more in its right half."""

    clips = SimpleNamespace(label=np.arange(NUM_CLIPS, dtype=np.int64) % 3)

    def num_kept(self, row: int) -> int:  # noqa: ARG002
        return NUM_KEPT

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        side = size_px or STORED_PX
        frames_THWC = np.empty((len(positions), side, side, 1), dtype=np.uint8)
        frames_THWC[:] = np.array([20 * row + position for position in positions])[:, None, None, None]
        frames_THWC[:, :, side // 2 :] += 1
        return frames_THWC


def make_data_loader(**changes: object) -> Any:  # its batches are tensors
    input_defaults: dict[str, object] = {"num_frames": 2, "resize_px": 8, "crop_px": 6, "flip": False}
    loader_defaults: dict[str, object] = {"batch_size": 3, "num_threads": 1}
    options = {name: changes.get(name, input_defaults[name]) for name in input_defaults}
    clip_input = FrameInput(GreyClips(), channels=1, **options)  # type: ignore[arg-type]
    return DataLoader(
        clip_input,
        SPLIT,
        test_sets=2,
        device=torch.device("cpu"),
        **{name: changes.get(name, loader_defaults[name]) for name in loader_defaults},  # type: ignore[arg-type]
    )


def levels(clips_BCTHW: torch.Tensor) -> torch.Tensor:
    """Undo the normalization of depth: mean 0, and a deviation of a quarter of the range."""
    return (clips_BCTHW * 0.25 * 255).round().long()


def rows_of(clips_BCTHW: torch.Tensor) -> list[int]:
    return [int(value) // 20 for value in levels(clips_BCTHW)[:, 0, 0, 0, 0]]


def test_an_epoch_with_repeats_counts_each_read_clip() -> None:
    data_loader = replace(make_data_loader(), repeats=2)
    read = [row for clips, _ in data_loader.training_epoch(0) for row in rows_of(clips)]
    assert sorted(read) == sorted([*range(7), *range(7)])
    assert data_loader.clips_per_epoch == 14
    assert data_loader.num_clips("train") == 7
    assert data_loader.num_training_batches == 5  # of at most three clips


def test_class_sizes_count_the_clips_of_a_part() -> None:
    # Clip n has class n % 3: 0 1 2 0 1 2 0 train, and clips 7 and 9 validate.
    data_loader = make_data_loader()
    assert data_loader.class_sizes("train", 4).tolist() == [3, 2, 2, 0]
    assert data_loader.class_sizes("validation", 4).tolist() == [1, 1, 0, 0]


def test_batches_have_the_clip_shape_and_types() -> None:
    data_loader = make_data_loader()
    assert data_loader.clip_shape == (1, 2, 6, 6)
    for batches in (data_loader.training_epoch(0), data_loader.evaluation_set("validation", 0, 2)):
        for clips_BCTHW, labels_B in batches:
            assert clips_BCTHW.shape == (len(labels_B), *data_loader.clip_shape)
            assert clips_BCTHW.dtype == torch.float32
            assert labels_B.dtype == torch.int64
            assert clips_BCTHW.is_contiguous(memory_format=torch.channels_last_3d)


def test_a_training_epoch_has_every_clip_once_with_its_label() -> None:
    seen = []
    for clips_BCTHW, labels_B in make_data_loader().training_epoch(5):
        rows = rows_of(clips_BCTHW)
        assert labels_B.tolist() == [row % 3 for row in rows]
        seen += rows
    assert sorted(seen) == SPLIT.train.tolist()
    assert seen != SPLIT.train.tolist()


def test_batch_sizes_differ_by_at_most_one() -> None:
    # Seven clips in batches of at most three; no batch has a single clip.
    assert [len(labels_B) for _, labels_B in make_data_loader().training_epoch(0)] == [3, 2, 2]


def epoch_bytes(data_loader: Any, seed: int) -> bytes:
    return b"".join(
        clips.numpy().tobytes() + labels.numpy().tobytes()
        for clips, labels in data_loader.training_epoch(seed)
    )


def test_equal_seeds_give_equal_bytes_for_any_number_of_threads() -> None:
    data_loader = make_data_loader(flip=True)
    assert (
        epoch_bytes(data_loader, 3)
        == epoch_bytes(data_loader, 3)
        == epoch_bytes(make_data_loader(flip=True, num_threads=3), 3)
    )
    assert len({epoch_bytes(data_loader, seed) for seed in range(5)}) == 5


def test_the_order_and_the_crops_both_depend_on_the_seed() -> None:
    data_loader = make_data_loader(crop_px=4, batch_size=7)
    orders, crops = set(), set()
    for seed in range(5):
        ((clips_BCTHW, _),) = data_loader.training_epoch(seed)
        orders.add(tuple(rows_of(clips_BCTHW)))
        # Column of the border between the halves, for each clip of the batch.
        crops.add(tuple(levels(clips_BCTHW)[:, 0, 0, 0].diff(dim=1).argmax(dim=1).tolist()))
    assert len(orders) == len(crops) == 5


def test_the_global_random_state_has_no_effect_and_is_not_changed() -> None:
    data_loader = make_data_loader(flip=True)
    before = epoch_bytes(data_loader, 1)
    torch.manual_seed(7)
    torch.rand(3)
    state = torch.get_rng_state()
    assert epoch_bytes(data_loader, 1) == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("set_index", "positions"), [(0, (0, 2)), (1, (1, 3))])
def test_an_evaluation_set_has_its_own_frames_in_the_order_of_the_split(
    set_index: int, positions: tuple[int, int]
) -> None:
    # Two segments of two frames each; the sets sample at a quarter and at three quarters of a segment.
    ((clips_BCTHW, labels_B),) = make_data_loader().evaluation_set("validation", set_index, 2)
    assert labels_B.tolist() == [7 % 3, 9 % 3]
    for clip, row in zip(levels(clips_BCTHW), (7, 9), strict=True):
        assert clip[0, :, 0, 0].tolist() == [20 * row + position for position in positions]


def test_evaluation_crops_the_centre() -> None:
    # The halves have four columns each; the six centre columns are three of each half.
    ((clips_BCTHW, _),) = make_data_loader().evaluation_set("test", 0, 2)
    columns = (levels(clips_BCTHW)[0, 0, 0, 0] - 20 * 8).tolist()
    assert columns == [0, 0, 0, 1, 1, 1]


def test_training_crops_depend_on_the_seed_and_evaluation_crops_do_not() -> None:
    data_loader = make_data_loader(crop_px=4, batch_size=7)
    borders = set()
    for seed in range(8):
        ((clips_BCTHW, _),) = data_loader.training_epoch(seed)
        rows = levels(clips_BCTHW)[:, 0, 0, 0]
        borders |= {int((row == row[0]).sum()) for row in rows}
    # A crop of 4 of 8 columns starts at columns 0 to 4: it has 4, 3, 2, 1 or 4 columns of its first half.
    assert borders == {1, 2, 3, 4}
    again = [
        [clips.numpy().tobytes() for clips, _ in data_loader.evaluation_set("validation", 1, 2)]
        for _ in range(2)
    ]
    assert again[0] == again[1]


def test_flipping_mirrors_about_half_of_the_clips() -> None:
    data_loader = make_data_loader(flip=True, crop_px=8, batch_size=7)
    num_flipped = 0
    for seed in range(10):
        ((clips_BCTHW, _),) = data_loader.training_epoch(seed)
        num_flipped += int((levels(clips_BCTHW)[:, 0, 0, 0, 0] > levels(clips_BCTHW)[:, 0, 0, 0, -1]).sum())
    # Of 70 fair coin tosses, fewer than 18 or more than 52 heads have a probability of about 1e-4.
    assert 18 <= num_flipped <= 52
    unflipped = make_data_loader(crop_px=8, batch_size=7)
    ((clips_BCTHW, _),) = unflipped.training_epoch(0)
    assert bool((levels(clips_BCTHW)[..., 0] < levels(clips_BCTHW)[..., -1]).all())


@pytest.mark.parametrize(("part", "num"), [("train", 7), ("validation", 2), ("test", 2)])
def test_every_part_has_its_own_clips(part: Part, num: int) -> None:
    data_loader = make_data_loader()
    seen = [row for clips, _ in data_loader.evaluation_set(part, 0, 1) for row in rows_of(clips)]
    assert seen == getattr(SPLIT, part).tolist()
    assert data_loader.num_clips(part) == num


def test_stored_clips_are_normalised_by_channel_and_read_once(tiny_clips: ClipStore, tmp_path) -> None:
    data_loader = open_tiny_trial(tiny_config("clips.crop_px=16"), tiny_clips, tmp_path).data_loader
    labels = torch.cat([labels_B for _, labels_B in data_loader.training_epoch(derive_seed(0, 1))])
    assert labels.bincount().tolist() == [len(TRAINING_SUBJECTS) * 4] * 6
    clips_BCTHW, _ = next(data_loader.evaluation_set("test", 0, 1))
    row = int(data_loader.split.test[0])
    # Four kept frames form two segments, whose middles are frames 1 and 3.
    frames_THWC = tiny_clips.frames(row, [1, 3]).astype(np.float64) / 255
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    by_hand = ((frames_THWC - mean) / deviation).transpose(3, 0, 1, 2)
    assert isinstance(clips_BCTHW, torch.Tensor)
    np.testing.assert_allclose(clips_BCTHW[0].numpy(), by_hand, rtol=0, atol=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("width", [2, 4])
def test_ranks_read_the_augmented_clips_of_one_process(width: int, parts: int) -> None:
    # Batches of 3, 2 and 2 clips: some ranks have none, and read the first.
    data_loader = make_data_loader(flip=True)
    shares = [Share(rank, width, parts) for rank in range(width)]
    read = [list(data_loader.training_epoch(0, share)) for share in shares]
    for index, (clips_BCTHW, labels_B) in enumerate(data_loader.training_epoch(0)):
        for share, batches in zip(shares, read, strict=True):
            own_RCTHW, all_labels_B = batches[index]
            assert torch.equal(own_RCTHW, clips_BCTHW[share.positions(len(labels_B))])
            assert torch.equal(all_labels_B, labels_B)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_ranks_evaluate_consecutive_slices_of_a_part(width: int) -> None:
    data_loader, sizes = make_data_loader(batch_size=4), []
    rows, labels = [], []
    for rank in range(width):
        share = Share(rank, width)
        for clips, labels_B in data_loader.evaluation_set("train", 0, 1, share=share):
            sizes.append(len(clips))
            rows += rows_of(clips)
            labels += labels_B.tolist()
    assert rows == list(range(7))
    assert labels == [row % 3 for row in rows]
    assert max(sizes) == -(-4 // width)


def test_a_rank_without_clips_to_evaluate_reads_the_first() -> None:
    ((clips, labels_B),) = make_data_loader().evaluation_set("validation", 0, 1, share=Share(2, 3))
    assert rows_of(clips) == [7]
    assert len(labels_B) == 1
