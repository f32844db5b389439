"""Parts with skeletons: one box per part and clip, one mirror for all, frames in a row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.config.trial.clips import PART_NAMES, PartsSkeletonsClips
from autohier.config.trial.recognizers import PartAttentionSettings
from autohier.core.stages.builders import clip_shape, network_options, open_clip_input
from autohier.core.stages.clip_readings import open_reading
from autohier.data.inputs.parts_skeletons import PartsSkeletonsInput
from autohier.data.inputs.shapes import stack_arrays
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.crop import crop_and_resize
from autohier.data.transforms.parts import OTHER_SIDE
from autohier.data.transforms.sampling import row_positions
from autohier.data.transforms.tensors.clip_random import ClipRandom

NUM_CLIPS = 12
CLIPS = PartsSkeletonsClips(
    input="parts+skeletons",
    num_frames=3,
    resize_px=12,
    crop_px=8,
    num_skeleton_frames=2,
    num_persons=1,
    rotation_degrees=0,
    scaling=0,
)
SHAPES = {**dict.fromkeys(PART_NAMES, (3, 3, 8, 8)), "skeletons": (1, 2, 25, 3)}


def make(store: ClipStore, **changes: object) -> PartsSkeletonsInput:
    clip_input = open_clip_input(CLIPS.model_copy(update=changes), store, store.manifest)
    assert isinstance(clip_input, PartsSkeletonsInput)
    return clip_input


def read(clip_input: PartsSkeletonsInput) -> dict[str, torch.Tensor]:
    clips = [clip_input.read_train(row, np.random.default_rng(row)) for row in range(NUM_CLIPS)]
    return {name: torch.from_numpy(np.stack([clip[name] for clip in clips])) for name in clips[0]}


def test_shapes_are_those_of_the_settings(tiny_clips: ClipStore) -> None:
    clip_input, contents = make(tiny_clips), tiny_clips.manifest
    options = network_options(PartAttentionSettings(name="part-attention-i3d"), CLIPS, contents)
    assert options["num_persons"] == 1
    assert clip_input.clip_shape == clip_shape(CLIPS, options) == SHAPES
    batch = read(clip_input)
    for out in (
        clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS)),
        clip_input.transform_eval(batch),
    ):
        assert {name: tuple(each.shape[1:]) for name, each in out.items()} == SHAPES
        assert all(each.dtype == torch.float32 for each in out.values())


def test_parts_are_cut_out_of_the_stored_frames(tiny_clips: ClipStore) -> None:
    clip_input, row = make(tiny_clips), 3
    clip = clip_input.read_eval(row, 1, 2)
    side_px = tiny_clips.manifest.size_px
    frames = tiny_clips.frames(row, row_positions(tiny_clips.num_kept(row), 3, 0.75).tolist())
    boxes = clip_input.boxes(row, side_px)
    assert len(set(boxes.values())) > 1
    for part in PART_NAMES:
        cut = [np.asarray(crop_and_resize(frame, boxes[part], 12)) for frame in frames]
        np.testing.assert_array_equal(clip[part], np.stack(cut))


def test_a_mirrored_clip_shows_the_other_hand(tiny_clips: ClipStore) -> None:
    clip_input = make(tiny_clips, crop_px=12)
    batch = read(clip_input)
    # Parts of different brightness, brighter on the right, show what is where.
    column = torch.arange(12, dtype=torch.uint8).expand(NUM_CLIPS, 3, 12, 12)[..., None].repeat(1, 1, 1, 1, 3)
    batch |= {part: column + 50 * index for index, part in enumerate(PART_NAMES)}
    out = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))
    mirrored_B = out["body"][:, 0, 0, 0, 0] > out["body"][:, 0, 0, 0, -1]
    assert 0 < mirrored_B.sum() < NUM_CLIPS
    plain, other = clip_input.transform_eval(batch), clip_input.transform_eval(batch, mirrored=True)
    for name, tensor in out.items():
        flags = mirrored_B.view(-1, 1, 1, 1, 1)
        torch.testing.assert_close(tensor, torch.where(flags, other[name], plain[name]))
    for part, shown in OTHER_SIDE.items():
        torch.testing.assert_close(other[part].flip(-1), plain[shown])


def test_some_parts_are_read_with_the_other_hand(tiny_clips: ClipStore) -> None:
    clip = make(tiny_clips, parts=("left_hand",)).read_eval(0, 0, 1)
    assert set(clip) == {"left_hand", "right_hand", "skeletons"}
    assert make(tiny_clips, parts=("left_hand",)).clip_shape.keys() == {"left_hand", "skeletons"}
    assert set(make(tiny_clips, parts=()).read_eval(0, 0, 1)) == {"skeletons"}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("sampling", ["in-a-row", "segments"])
def test_reading_without_torch_gives_the_same(
    tiny_clips: ClipStore, sampling: str, *, mirrored: bool
) -> None:
    settings = CLIPS.model_copy(update={"sampling": sampling, "test_offsets": "drawn"})
    clip_input = open_clip_input(settings, tiny_clips, tiny_clips.manifest)
    reading = open_reading(settings, tiny_clips, tiny_clips.manifest)
    assert reading.clip_shape == SHAPES
    clips = stack_arrays([reading.read_eval(row, 1, 3) for row in range(3)])
    assert isinstance(clips, dict)
    arrays = reading.eval_arrays(clips, mirrored=mirrored)
    tensors = clip_input.transform_eval(
        {name: torch.from_numpy(each) for name, each in clips.items()}, mirrored=mirrored
    )
    assert isinstance(arrays, dict)
    assert isinstance(tensors, dict)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(arrays[name], tensor.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("num_kept", "fraction", "expected"),
    [
        (10, 0.0, [0, 1, 2, 3]),
        (10, 0.999, [6, 7, 8, 9]),
        (4, 0.5, [0, 1, 2, 3]),
        (3, 0.0, [0, 1, 2, 0]),
        (3, 0.7, [2, 0, 1, 2]),
        (1, 0.9, [0, 0, 0, 0]),
    ],
)
def test_frames_in_a_row(num_kept: int, fraction: float, expected: list[int]) -> None:
    assert row_positions(num_kept, 4, fraction).tolist() == expected


def test_parts_must_differ() -> None:
    with pytest.raises(ValueError, match="parts must differ, but got body, body"):
        PartsSkeletonsClips(input="parts+skeletons", parts=("body", "body"))
