"""Dropping joints frame by frame: the rule, and what networks of each kind read of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.inputs.reading.skeletons import SkeletonReading
from autohier.data.skeleton import COCO_17, KINECT_V2_25, Skeleton
from autohier.data.transforms.joint_drop import drop_joints

NUM_PERSONS, NUM_FRAMES = 2, 400


def people(*, scores: bool = False) -> Skeleton:
    random = np.random.default_rng(0)
    shape = (NUM_PERSONS, NUM_FRAMES, 25)
    return Skeleton(
        random.normal(size=(*shape, 3)).astype(np.float32),
        random.uniform(10, 90, (*shape, 2)).astype(np.float32),
        100,
        100,
        KINECT_V2_25.name,
        random.uniform(0.5, 1, shape).astype(np.float32) if scores else None,
    )


@pytest.mark.parametrize("scores", [False, True])
def test_with_probability_1_every_frame_of_a_person_lacks_one_joint(scores):
    skeleton = people(scores=scores)
    before = skeleton.joints_MTV3_m.copy()
    dropped = drop_joints(skeleton, 1.0, np.random.default_rng(1))
    assert (~dropped.presence()).sum(axis=2).tolist() == [[1] * NUM_FRAMES] * NUM_PERSONS
    lost_MTV = np.isnan(dropped.joints_MTV3_m).all(axis=-1)
    np.testing.assert_array_equal(lost_MTV, np.isnan(dropped.pixels_MTV2).all(axis=-1))
    np.testing.assert_array_equal(skeleton.joints_MTV3_m, before)
    np.testing.assert_array_equal(dropped.joints_MTV3_m[~lost_MTV], before[~lost_MTV])
    if scores:
        np.testing.assert_array_equal(dropped.scores_MTV == 0, lost_MTV)
    # All joints are hit, and the two persons lose other ones.
    assert lost_MTV.any(axis=(0, 1)).all()
    assert (lost_MTV[0] != lost_MTV[1]).any()


def test_the_probability_counts_frames_and_larger_ones_add_to_smaller_ones():
    lost = {}
    for probability in (0.0, 0.25, 0.5):
        dropped = drop_joints(people(), probability, np.random.default_rng(2))
        lost[probability] = np.isnan(dropped.joints_MTV3_m).any(axis=-1)
    assert not lost[0.0].any()
    # The share of 800 frames has a standard deviation of at most 0.018.
    assert abs(lost[0.25].any(axis=2).mean() - 0.25) < 0.06
    assert abs(lost[0.5].any(axis=2).mean() - 0.5) < 0.06
    assert (lost[0.5] | ~lost[0.25]).all()


def test_no_person_is_fine():
    nothing = np.empty((0, 5, 25, 3), np.float32)
    skeleton = Skeleton(nothing, nothing[..., :2], 10, 10, KINECT_V2_25.name)
    assert drop_joints(skeleton, 1.0, np.random.default_rng(0)).num_persons == 0


def one_person(layout, *, planar):
    """A person with all joints, in a store of one clip."""
    random = np.random.default_rng(3)
    places = random.uniform(20, 80, (1, 60, layout.num_joints, 3)).astype(np.float32)
    joints = np.full_like(places, np.nan) if planar else places
    scores = np.ones(places.shape[:3], np.float32) if planar else None
    skeleton = Skeleton(joints, places[..., :2], 100, 100, layout.name, scores)
    return drop_joints(skeleton, 1.0, random)


def store_of(skeleton):
    clips = SimpleNamespace(label=np.zeros(1, dtype=np.int64))
    return SimpleNamespace(clips=clips, skeleton=lambda row: skeleton)  # noqa: ARG005


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("joint", 1 / 17),
        ("bone", 2 / 17),  # each of the 16 bones has two ends
        ("joint-motion", 1 - (16 / 17) ** 2),  # of a joint in two frames
    ],
)
def test_graph_networks_read_zeros_for_it_and_what_derives_from_it(stream, expected):
    store = store_of(one_person(COCO_17, planar=True))
    clip = SkeletonReading(store, COCO_17, num_frames=59, num_persons=1, stream=stream).read_eval(0, 0, 1)
    joints = np.array(COCO_17.bones)[:, 0] if stream == "bone" else np.arange(17)  # the root has no bone
    assert abs((clip[:, :, joints] == 0).all(axis=-1).mean() - expected) < 0.02


def test_heatmap_networks_read_an_empty_map_for_it():
    skeleton = one_person(KINECT_V2_25, planar=False)
    clip_input = HeatmapInput(
        store_of(skeleton), KINECT_V2_25, num_frames=60, num_persons=1, maps="joints", size_px=24
    )
    maps = clip_input.transform_eval(torch.from_numpy(clip_input.read_eval(0, 0, 1)[None]))[0]
    is_empty_VT = ~maps.flatten(2).any(dim=2)
    np.testing.assert_array_equal(is_empty_VT.numpy(), ~skeleton.presence()[0].T)
    assert is_empty_VT.sum() == 60
