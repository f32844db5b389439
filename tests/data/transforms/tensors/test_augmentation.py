"""Cropping, mirroring and normalizing whole batches, against slow references.

Legend: B clips, T frames, H W pixels, C channels.
"""

import pytest
import torch

from autohier.data.transforms.tensors.augmentation import center_crop, normalize, random_crop_flip
from autohier.data.transforms.tensors.clip_random import ClipRandom


def numbered(num_clips, num_frames, height, width, channels=3):
    """Return clips whose pixels differ within a frame: red is the row, green the column, blue the frame."""
    clips = torch.zeros(num_clips, num_frames, height, width, channels, dtype=torch.uint8)
    clips[..., 0] = torch.arange(height)[:, None]
    clips[..., 1] = torch.arange(width)
    clips[..., 2] = torch.arange(num_frames)[:, None, None]
    return clips


def crops(*, flip, num_clips=200, seed=0):
    clips, random = numbered(num_clips, 3, 12, 10), ClipRandom.seeded(seed, num_clips)
    return random_crop_flip(clips, crop_px=8, flip=flip, random=random)


@pytest.mark.parametrize("flip", [True, False])
def test_all_frames_of_a_clip_share_one_square_crop(flip):
    cropped = crops(flip=flip)
    assert cropped.shape == (200, 3, 8, 8, 3)
    assert cropped.dtype == torch.uint8
    assert cropped.is_contiguous()
    steps = set()
    for clip in cropped.long():
        top, step = clip[0, 0, 0, 0], clip[0, 0, 1, 1] - clip[0, 0, 0, 1]
        left = clip[0, 0, :, 1].min()
        columns = torch.arange(left, left + 8)
        steps.add(int(step))
        for frame in range(3):
            assert (clip[frame, ..., 0] == torch.arange(top, top + 8)[:, None]).all()
            assert (clip[frame, ..., 1] == (columns if step == 1 else columns.flip(0))).all()
            assert (clip[frame, ..., 2] == frame).all()
    assert steps == ({1, -1} if flip else {1})


def test_all_positions_are_sampled_and_half_are_mirrored():
    cropped = crops(flip=True).long()
    places = {(int(clip[0, 0, 0, 0]), int(clip[0, 0, :, 1].min())) for clip in cropped}
    # Tops 0 to 4 and lefts 0 to 2; each of the 15 is missed by 200 clips once in a million runs.
    assert places == {(top, left) for top in range(5) for left in range(3)}
    num_mirrored = sum(int(clip[0, 0, 0, 1] > clip[0, 0, 1, 1]) for clip in cropped)
    # 100 of 200, within five standard deviations of 7.1.
    assert 65 < num_mirrored < 135


def test_crops_depend_only_on_the_generator():
    assert torch.equal(crops(flip=True), crops(flip=True))
    assert not torch.equal(crops(flip=True), crops(flip=True, seed=1))


def test_crops_do_not_depend_on_flip():
    mirrored, straight = crops(flip=True).long(), crops(flip=False).long()
    assert torch.equal(mirrored.sort(dim=3).values, straight)


def test_a_crop_of_the_whole_frame_is_the_frame():
    clips = numbered(2, 2, 8, 8)
    assert torch.equal(random_crop_flip(clips, crop_px=8, flip=False, random=ClipRandom.seeded(0, 2)), clips)
    assert torch.equal(center_crop(clips, crop_px=8), clips)


def test_the_center_crop_is_in_the_middle():
    clip = center_crop(numbered(1, 1, 12, 10), crop_px=8)[0, 0]
    # Twelve rows leave two above and two below, ten columns one on each side.
    assert clip[:, 0, 0].tolist() == list(range(2, 10))
    assert clip[0, :, 1].tolist() == list(range(1, 9))


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [(3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), (1, (0.0,), (0.25,))],
)
@pytest.mark.parametrize("cropped", [True, False])
def test_normalization_by_hand_keeps_the_memory_order(channels, mean, std, cropped):
    clips = torch.randint(0, 256, (2, 3, 6, 6, channels), dtype=torch.uint8)
    clips = center_crop(clips, crop_px=4) if cropped else clips
    out = normalize(clips)
    assert out.shape == (2, channels, 3, *clips.shape[2:4])
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
    for channel in range(channels):
        expected = (clips[..., channel].double() / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(out[:, channel].double(), expected, rtol=1e-5, atol=1e-6)


def test_the_background_of_depth_stays_zero():
    assert not normalize(torch.zeros(1, 1, 4, 4, 1, dtype=torch.uint8)).any()


def test_normalization_does_not_change_its_input():
    clips = numbered(1, 1, 8, 8)
    before = clips.clone()
    normalize(clips)
    assert torch.equal(clips, before)


def test_normalization_uses_the_given_dtype():
    assert normalize(numbered(1, 1, 8, 8), dtype=torch.bfloat16).dtype == torch.bfloat16
