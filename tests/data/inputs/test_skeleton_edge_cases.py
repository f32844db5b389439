"""Clips without people, frames or joints: what inputs of skeletons make of them.

Legend: M persons, T frames, V joints.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.tensors.clip_random import ClipRandom
from support.clip_input_cases import CASES, SKELETON_CASES

NAN = math.nan


def some_people(layout, *, num_persons=1, num_frames=5, size_px=(640, 480)):
    random = np.random.default_rng([num_persons, num_frames])
    shape_MTV = (num_persons, num_frames, layout.num_joints)
    joints_MTV3 = random.normal((0, 0, 3), 0.5, (*shape_MTV, 3)).astype(np.float32)
    return Skeleton(
        joints_MTV3_m=np.full_like(joints_MTV3, NAN) if layout.planar else joints_MTV3,
        pixels_MTV2=random.uniform(50, 400, (*shape_MTV, 2)).astype(np.float32),
        image_width_px=size_px[0],
        image_height_px=size_px[1],
        layout=layout.name,
        scores_MTV=random.random(shape_MTV, dtype=np.float32) if layout.planar else None,
    )


def with_absent(value, *where, layout, num_persons=2, size_px=(640, 480)):
    """Return people with this value for all coordinates of some joints."""
    skeleton = some_people(layout, num_persons=num_persons, size_px=size_px)
    for values in (skeleton.joints_MTV3_m, skeleton.pixels_MTV2):
        values[where] = value
    return skeleton


EDGE_CASES = {
    "no person": lambda layout: some_people(layout, num_persons=0),
    "no frames": lambda layout: some_people(layout, num_frames=0),
    "neither": lambda layout: some_people(layout, num_persons=0, num_frames=0),
    "all absent": lambda layout: with_absent(NAN, ..., layout=layout),
    "all absent, no image": lambda layout: with_absent(NAN, ..., layout=layout, size_px=(0, 0)),
    "zeros": lambda layout: with_absent(0, ..., layout=layout),
    "the first person appears late": lambda layout: with_absent(NAN, 0, slice(3), layout=layout),
    "joints absent": lambda layout: with_absent(NAN, ..., slice(0, 9, 3), slice(None), layout=layout),
    "one joint present": lambda layout: with_absent(NAN, ..., slice(1, None), slice(None), layout=layout),
    "a person of zeros": lambda layout: with_absent(0, 1, layout=layout),
    "all joints at one position": lambda layout: with_absent(1, ..., layout=layout),
    "one person": some_people,
    "one frame": lambda layout: some_people(layout, num_frames=1),
    "four persons": lambda layout: some_people(layout, num_persons=4),
}
EMPTY = {"no person", "no frames", "neither", "all absent", "all absent, no image", "zeros"}
NOT_EMPTY = {"joints absent", "a person of zeros", "one person", "four persons"}
WITHOUT_SECOND_PERSON = EMPTY | {"a person of zeros", "one person", "one frame"}


class EdgeCaseClips:
    """One clip for each of EDGE_CASES."""

    def __init__(self, layout):
        self.clips = SimpleNamespace(label=np.arange(len(EDGE_CASES)))
        self._skeletons = [make(layout) for make in EDGE_CASES.values()]

    def skeleton(self, row):
        return self._skeletons[row]


@pytest.mark.parametrize("name", SKELETON_CASES)
@pytest.mark.filterwarnings("error")
def test_edge_cases_give_finite_inputs(name):
    make, layout = CASES[name]
    clip_input, rows = make(EdgeCaseClips(layout), layout), range(len(EDGE_CASES))
    train = np.stack([clip_input.read_train(row, np.random.default_rng(row)) for row in rows])
    evaluation = np.stack([clip_input.read_eval(row, 1, 3) for row in rows])
    random = ClipRandom.seeded(0, len(rows))
    for clips in (train, evaluation):
        for mirrored in (False, True):
            tensors = clip_input.transform_eval(torch.from_numpy(clips), mirrored=mirrored)
            arrays = clip_input.eval_arrays(clips, mirrored=mirrored)
            np.testing.assert_allclose(arrays, tensors.numpy(), rtol=1e-4, atol=1e-5)
    for read in (
        *(clip_input.transform_eval(torch.from_numpy(clips)) for clips in (train, evaluation)),
        *(clip_input.transform_train(torch.from_numpy(clips), random) for clips in (train, evaluation)),
    ):
        assert read.shape == (len(EDGE_CASES), *clip_input.clip_shape)
        for kind, clip in zip(EDGE_CASES, read, strict=True):
            assert clip.isfinite().all(), kind
            assert kind not in EMPTY or not clip.any(), kind
            assert kind not in NOT_EMPTY or clip.any(), kind
            if isinstance(clip_input, SkeletonInput) and kind in WITHOUT_SECOND_PERSON:
                assert not clip[1:].any(), kind


@pytest.mark.parametrize("name", SKELETON_CASES)
def test_only_the_first_persons_are_read(name):
    make, layout = CASES[name]
    four = some_people(layout, num_persons=4)
    two = Skeleton(
        four.joints_MTV3_m[:2],
        four.pixels_MTV2[:2],
        four.image_width_px,
        four.image_height_px,
        layout.name,
        four.scores_MTV if four.scores_MTV is None else four.scores_MTV[:2],
    )
    clips = SimpleNamespace(label=np.zeros(2, dtype=np.int64))
    clip_input = make(SimpleNamespace(clips=clips, skeleton=[four, two].__getitem__), layout)
    np.testing.assert_array_equal(clip_input.read_eval(0, 0, 1), clip_input.read_eval(1, 0, 1))


@pytest.mark.parametrize("name", SKELETON_CASES)
def test_training_drops_joints_of_frames_and_evaluation_does_not(name):
    make, layout = CASES[name]
    plain = make(EdgeCaseClips(layout), layout)
    row = list(EDGE_CASES).index("one person")
    never, always = (replace(plain, frame_joint_drop=probability) for probability in (0.0, 1.0))
    read, same, dropped = (each.read_train(row, np.random.default_rng(4)) for each in (plain, never, always))
    np.testing.assert_array_equal(same, read)
    np.testing.assert_array_equal(plain.read_eval(row, 0, 2), always.read_eval(row, 0, 2))
    differs_TV = (np.nan_to_num(read) != np.nan_to_num(dropped)).any(axis=(0, 3))
    if name.startswith(("joint of", "heatmaps")):
        assert differs_TV.sum(axis=1).tolist() == [1] * 3  # the same frames, each without one joint
    else:
        assert differs_TV.any(axis=1).all()
