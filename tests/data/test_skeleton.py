"""The rule for absent joints, which readers, boxes, streams and heatmaps share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autohier.data.datasets.base import ClipSource, DatasetReader, read_skeleton
from autohier.data.skeleton import COCO_17, KINECT_V2_25, Skeleton, present_joints
from autohier.data.transforms.boxes import Box, skeleton_box
from autohier.data.transforms.skeletons import read_stream
from autohier.data.transforms.tensors.heatmaps import joint_heatmaps, limb_heatmaps
from autohier.data.transforms.tensors.keypoints import compact_boxes
from autohier.errors import ClipError

NAN = math.nan
ABOVE = float(np.nextafter(np.float32(0.01), np.float32(1)))


@pytest.mark.parametrize(
    ("score", "is_present"),
    [(0.0, False), (0.005, False), (0.01, False), (ABOVE, True), (1.0, True), (-1.0, False), (NAN, False)],
)
def test_a_joint_is_present_above_a_score_of_a_hundredth(score: float, is_present: bool) -> None:
    places, scores = np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2), np.float32)
    scores[..., 1] = score
    assert present_joints(places, scores).tolist() == [[[True, is_present]]]
    assert present_joints(np.ones((1, 1, 2, 3), np.float32), scores).tolist() == [[[True, is_present]]]


SPECIAL = st.sampled_from([0.0, 1.0, -3.5, NAN, math.inf, -math.inf, 0.01, 0.005])


@given(
    places=arrays.arrays(np.float32, st.tuples(*[st.just(2)] * 3, st.sampled_from([2, 3])), elements=SPECIAL),
    scores=arrays.arrays(np.float32, (2, 2, 2), elements=SPECIAL),
)
def test_the_rule_holds_joint_by_joint_for_arrays_and_tensors(places: np.ndarray, scores: np.ndarray) -> None:
    def is_present(person: int, frame: int, joint: int) -> bool:
        place = places[person, frame, joint].tolist()
        if not all(map(math.isfinite, place)) or not scores[person, frame, joint] > np.float32(0.01):
            return False
        of_zeros = [place] if len(place) == 2 else places[person, frame].tolist()
        of_zeros = [values for values in of_zeros if all(map(math.isfinite, values))]
        return any(value != 0 for values in of_zeros for value in values)

    expected = [[[is_present(m, t, v) for v in range(2)] for t in range(2)] for m in range(2)]
    assert present_joints(places, scores).tolist() == expected
    assert present_joints(torch.from_numpy(places), torch.from_numpy(scores)).tolist() == expected


def person_in_image(score_of_the_last: float) -> Skeleton:
    """Return one person of 17 joints in one frame: the last one, a knee, lies far from the others."""
    pixels = np.stack((np.linspace(100, 200, 17), np.linspace(50, 250, 17)), axis=-1).astype(np.float32)
    pixels[16] = (600, 450)
    scores = np.ones((1, 1, 17), np.float32)
    scores[..., 16] = score_of_the_last
    absent = np.full((1, 1, 17, 3), NAN, np.float32)
    return Skeleton(absent, pixels[None, None], 640, 480, COCO_17.name, scores)


def test_a_low_score_is_absent_in_boxes_streams_and_heatmaps() -> None:
    unsure = person_in_image(0.01)
    sure = replace(unsure, scores_MTV=np.ones((1, 1, 17), np.float32))
    size = {"width_px": 640, "height_px": 480}
    # The other joints span 100..193.75 x 50..237.5; a tenth of that is added on every side.
    assert skeleton_box(unsure, **size) == Box(90, 31, 204, 257)
    assert skeleton_box(sure, **size).right_px == 640
    joints, bones = (
        read_stream(unsure, COCO_17, stream, num_persons=1, positions_T=np.array([0]))[0, 0]
        for stream in ("joint", "bone")
    )
    assert not joints[16].any()
    assert not bones[16].any()
    assert joints[15].all()
    keypoints = torch.from_numpy(unsure.pixels_MTV2)[None] / 5
    scores = torch.from_numpy(unsure.scores_MTV)[None]
    assert compact_boxes(keypoints, scores, torch.tensor([[128.0, 96.0]]))[0, 2] < 60
    maps = joint_heatmaps(keypoints, scores, width=128, height=96)[0]
    assert not maps[16].any()
    assert maps[15].any()
    assert not limb_heatmaps(keypoints, scores, [(16, 14)], width=128, height=96).any()


def test_a_low_score_is_absent_in_space() -> None:
    joints = np.random.default_rng(0).uniform(0.5, 1, (1, 1, 25, 3)).astype(np.float32)
    scores = np.ones((1, 1, 25), np.float32)
    scores[..., 7] = 0.005
    skeleton = Skeleton(joints, np.full((1, 1, 25, 2), NAN, np.float32), 0, 0, KINECT_V2_25.name, scores)
    stream = read_stream(skeleton, KINECT_V2_25, "joint", num_persons=1, positions_T=np.array([0]))
    # The middle of the spine is the origin.
    assert np.argwhere(~stream[0, 0].any(axis=-1)).tolist() == [[1], [7]]
    assert np.argwhere(np.isnan(skeleton.with_absent_joints_marked().joints_MTV3_m[0, 0, :, 0])).tolist() == [
        [7]
    ]


class _OneSkeleton:
    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton

    def read_skeleton(self, clip: ClipSource) -> Skeleton:  # noqa: ARG002
        return self.skeleton


def test_every_reader_is_held_to_the_rule() -> None:
    clip = ClipSource("a", 0, 1, 1, 1, 1, None, None)

    def read(skeleton: Skeleton) -> Skeleton:
        reader: DatasetReader = _OneSkeleton(skeleton)  # type: ignore[assignment]
        return read_skeleton(reader, clip)

    unmarked = person_in_image(0.01)
    assert np.argwhere(np.isnan(read(unmarked).pixels_MTV2[0, 0, :, 0])).tolist() == [[16]]
    sound = unmarked.with_absent_joints_marked()
    assert read(sound) is sound
    absent = replace(unmarked, scores_MTV=np.zeros((1, 1, 17), np.float32))
    assert absent.num_visible_persons == 0
    with pytest.raises(ClipError, match="must contain a joint that is present"):
        read(absent)
