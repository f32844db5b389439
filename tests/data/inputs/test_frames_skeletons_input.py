"""Frames with skeletons: each part as its own input reads it, with one mirror for both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.config.trial.clips import FramesSkeletonsClips
from autohier.config.trial.recognizers import TwoStreamSettings
from autohier.core.stages.builders import clip_shape, network_options, open_clip_input
from autohier.core.stages.clip_readings import open_reading
from autohier.data.inputs.frames_skeletons import FramesSkeletonsInput
from autohier.data.inputs.shapes import stack_arrays
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.tensors.clip_random import ClipRandom

NUM_CLIPS = 16
CLIPS = FramesSkeletonsClips(
    input="frames+skeletons",
    num_frames=2,
    resize_px=16,
    crop_px=12,
    num_skeleton_frames=3,
    num_persons=1,
    rotation_degrees=0,
    scaling=0,
)
SHAPES = {"frames": (3, 2, 12, 12), "skeletons": (1, 3, 25, 3)}


def make(store: ClipStore, **changes: object) -> FramesSkeletonsInput:
    clip_input = open_clip_input(CLIPS.model_copy(update=changes), store, store.manifest)
    assert isinstance(clip_input, FramesSkeletonsInput)
    return clip_input


def read(clip_input: FramesSkeletonsInput) -> dict[str, torch.Tensor]:
    clips = [clip_input.read_train(row, np.random.default_rng(row)) for row in range(NUM_CLIPS)]
    return {name: torch.from_numpy(np.stack([clip[name] for clip in clips])) for name in clips[0]}


def test_shapes_are_those_of_the_settings(tiny_clips: ClipStore) -> None:
    clip_input, contents = make(tiny_clips), tiny_clips.manifest
    options = network_options(TwoStreamSettings(name="two-stream"), CLIPS, contents)
    assert clip_input.clip_shape == clip_shape(CLIPS, options) == SHAPES
    batch = read(clip_input)
    for out in (
        clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS)),
        clip_input.transform_eval(batch),
    ):
        assert {name: tuple(each.shape[1:]) for name, each in out.items()} == SHAPES
        assert all(each.dtype == torch.float32 for each in out.values())


def test_frames_and_joints_are_mirrored_together(tiny_clips: ClipStore) -> None:
    clip_input = make(tiny_clips, min_scale=1.0, resize_px=12)
    batch = read(clip_input)
    # A picture that is brighter on the right shows which clips are mirrored; no crop moves it.
    batch["frames"] = (
        torch.arange(12, dtype=torch.uint8).expand(NUM_CLIPS, 2, 12, 12)[..., None].repeat(1, 1, 1, 1, 3)
    )
    out = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))
    mirrored_B = out["frames"][:, 0, 0, 0, 0] > out["frames"][:, 0, 0, 0, -1]
    assert 0 < mirrored_B.sum() < NUM_CLIPS
    plain, other = (
        clip_input.skeletons.transform_eval(batch["skeletons"], mirrored=m) for m in (False, True)
    )
    torch.testing.assert_close(
        out["skeletons"], torch.where(mirrored_B[:, None, None, None, None], other, plain)
    )


def test_without_flip_nothing_is_mirrored(tiny_clips: ClipStore) -> None:
    clip_input = make(tiny_clips, flip=False)
    batch = read(clip_input)
    out = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))
    torch.testing.assert_close(out["skeletons"], batch["skeletons"])


def test_frames_are_those_of_the_frame_input_alone(tiny_clips: ClipStore) -> None:
    clip_input = make(tiny_clips, min_scale=0.6)
    batch = read(clip_input)
    both = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))["frames"]
    alone = clip_input.frames.transform_train(batch["frames"], ClipRandom.seeded(0, NUM_CLIPS))
    assert torch.equal(both, alone)


@pytest.mark.parametrize("mirrored", [False, True])
def test_reading_without_torch_gives_the_same(tiny_clips: ClipStore, *, mirrored: bool) -> None:
    clip_input, reading = make(tiny_clips), open_reading(CLIPS, tiny_clips, tiny_clips.manifest)
    assert reading.clip_shape == SHAPES
    clips = stack_arrays([reading.read_eval(row, 1, 3) for row in range(3)])
    assert isinstance(clips, dict)
    arrays = reading.eval_arrays(clips, mirrored=mirrored)
    tensors = clip_input.transform_eval(
        {name: torch.from_numpy(each) for name, each in clips.items()}, mirrored=mirrored
    )
    for name, tensor in tensors.items():
        np.testing.assert_allclose(arrays[name], tensor.numpy(), rtol=1e-4, atol=1e-5)  # type: ignore[call-overload]


def test_augmentation_of_the_skeletons_is_that_of_their_settings(tiny_clips: ClipStore) -> None:
    changes = {"rotation_degrees": 20.0, "scaling": 0.1, "joint_drop": 0.2, "flip": False, "stream": "bone"}
    clip_input = make(tiny_clips, **changes)
    own = clip_input.skeletons
    assert (own.rotation_degrees, own.scaling, own.joint_drop, own.stream) == (20.0, 0.1, 0.2, "bone")
    batch = read(clip_input)
    out = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))["skeletons"]
    assert not torch.equal(out, batch["skeletons"])
