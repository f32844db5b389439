"""Heatmaps against loops over pixels, and their invariants.

Legend: B clips, M persons, T frames, V joints, L limbs, H W pixels of a map.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autohier.data.skeleton import COCO_17, KINECT_V2_25, LAYOUTS
from autohier.data.transforms.limbs import limbs_of
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.heatmaps import joint_heatmaps, limb_heatmaps
from autohier.data.transforms.tensors.keypoints import mirror

WIDTH, HEIGHT = 12, 9
LIMBS = ((0, 1), (1, 2))


def to_joint(column, row, place):
    return math.dist((column, row), place)


def to_segment(column, row, start, end):
    """Return the distance to the nearest point of the segment: the foot of the perpendicular, or an end."""
    start, end, point = np.array(start), np.array(end), np.array((column, row))
    squared = float((end - start) @ (end - start))
    part = float((point - start) @ (end - start)) / squared if squared else 0.0
    return float(np.linalg.norm(point - (start + min(max(part, 0.0), 1.0) * (end - start))))


def is_present(place, score):
    return all(map(math.isfinite, place)) and tuple(place) != (0.0, 0.0) and score > 0


def slow_maps(keypoints, scores, parts, sigma):
    """Render maps pixel by pixel; ``parts`` lists single joints or pairs of joints."""
    num_clips, num_persons, num_frames = scores.shape[:3]
    maps = np.zeros((num_clips, len(parts), num_frames, HEIGHT, WIDTH))
    for clip, person, frame in np.ndindex(num_clips, num_persons, num_frames):
        for index, part in enumerate(parts):
            places = [keypoints[clip, person, frame, joint].tolist() for joint in part]
            values = [scores[clip, person, frame, joint].item() for joint in part]
            if not all(map(is_present, places, values)):
                continue
            columns, rows = zip(*places, strict=True)
            for row, column in np.ndindex(HEIGHT, WIDTH):
                x, y = column + 0.5, row + 0.5
                if not min(columns) - 3 * sigma <= x <= max(columns) + 3 * sigma:
                    continue
                if not min(rows) - 3 * sigma <= y <= max(rows) + 3 * sigma:
                    continue
                distance = to_joint(x, y, *places) if len(part) == 1 else to_segment(x, y, *places)
                value = min(values) * math.exp(-(distance**2) / (2 * sigma**2))
                maps[clip, index, frame, row, column] = max(maps[clip, index, frame, row, column], value)
    return torch.from_numpy(maps)


def some_clips(seed=0, *, num_persons=2):
    """Return two clips of three frames, with joints inside, near and far from the map, and absent joints."""
    random = np.random.default_rng(seed)
    keypoints = random.uniform(-3, 15, (2, num_persons, 3, 3, 2))
    keypoints[random.random(keypoints.shape[:-1]) < 0.1] = math.nan
    keypoints[random.random(keypoints.shape[:-1]) < 0.1] = 0.0
    keypoints[..., 0][random.random(keypoints.shape[:-1]) < 0.05] = math.inf
    scores = random.uniform(0, 1, keypoints.shape[:-1])
    scores[random.random(scores.shape) < 0.1] = 0.0
    scores[random.random(scores.shape) < 0.05] = math.nan
    return torch.from_numpy(keypoints), torch.from_numpy(scores)


@pytest.mark.parametrize("sigma", [0.6, 1.1])
@pytest.mark.parametrize("num_persons", [1, 3])
def test_joint_maps_equal_those_of_a_loop_over_pixels(num_persons, sigma):
    clips = some_clips(num_persons=num_persons)
    maps = joint_heatmaps(*clips, width=WIDTH, height=HEIGHT, sigma_px=sigma)
    torch.testing.assert_close(maps, slow_maps(*clips, [(0,), (1,), (2,)], sigma), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.6, 1.1])
@pytest.mark.parametrize("num_persons", [1, 3])
def test_limb_maps_equal_those_of_a_loop_over_pixels(num_persons, sigma):
    clips = some_clips(num_persons=num_persons)
    maps = limb_heatmaps(*clips, LIMBS, width=WIDTH, height=HEIGHT, sigma_px=sigma)
    torch.testing.assert_close(maps, slow_maps(*clips, LIMBS, sigma), rtol=1e-9, atol=1e-12)


def single(*places, scores=None):
    keypoints = torch.tensor(places).reshape(1, 1, 1, -1, 2)
    given_scores = torch.ones(len(places)) if scores is None else torch.tensor(scores)
    return keypoints, given_scores.reshape(1, 1, 1, -1)


def test_a_joint_by_hand():
    # In the middle of pixel (4, 3): the score there, exp(-1 / 0.72) of it in the adjacent pixels, and zero
    # two pixels away, which is more than 3 sigma = 1.8.
    (frame,) = joint_heatmaps(*single((4.5, 3.5), scores=[0.8]), width=WIDTH, height=HEIGHT)[0, 0]
    near = math.exp(-1 / 0.72)
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[2:5, 3:6] = 0.8 * torch.tensor(
        [[near**2, near, near**2], [near, 1.0, near], [near**2, near, near**2]]
    )
    torch.testing.assert_close(frame, expected)
    assert frame.dtype == torch.float32


def test_a_limb_by_hand():
    # From the middle of pixel (2, 4) to that of (6, 4): the full score in this row, less in adjacent rows.
    keypoints, scores = single((2.5, 4.5), (6.5, 4.5), scores=[0.9, 0.5])
    (frame,) = limb_heatmaps(keypoints, scores, [(0, 1)], width=WIDTH, height=HEIGHT)[0, 0]
    near = math.exp(-1 / 0.72)
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[4, 2:7] = 0.5
    expected[[3, 5], 2:7] = expected[4, [1, 7]] = 0.5 * near
    expected[3, [1, 7]] = expected[5, [1, 7]] = 0.5 * near**2
    torch.testing.assert_close(frame, expected)


def test_a_limb_of_length_0_equals_a_joint():
    keypoints, scores = single((3.2, 5.1), (3.2, 5.1))
    torch.testing.assert_close(
        limb_heatmaps(keypoints, scores, [(0, 1)], width=WIDTH, height=HEIGHT),
        joint_heatmaps(keypoints, scores, width=WIDTH, height=HEIGHT)[:, :1],
    )


def test_the_maximum_is_taken_over_persons():
    keypoints, scores = some_clips(num_persons=3)
    for render in (joint_heatmaps, lambda *clips, **size: limb_heatmaps(*clips, LIMBS, **size)):
        together = render(keypoints, scores, width=WIDTH, height=HEIGHT)
        separate = [
            render(keypoints[:, [person]], scores[:, [person]], width=WIDTH, height=HEIGHT)
            for person in range(3)
        ]
        assert torch.equal(together, torch.stack(separate).amax(dim=0))


@pytest.mark.parametrize("absent", [(math.nan, math.nan), (0.0, 0.0), (math.inf, 2.0), (math.nan, 2.0)])
def test_an_absent_person_adds_nothing(absent):
    keypoints, scores = some_clips(num_persons=1)
    person = torch.tensor(absent, dtype=torch.float64).expand_as(keypoints)
    both = torch.cat([keypoints, person], dim=1), torch.cat([scores, torch.ones_like(scores)], dim=1)
    for render in (joint_heatmaps, lambda *clips, **size: limb_heatmaps(*clips, LIMBS, **size)):
        assert torch.equal(
            render(*both, width=WIDTH, height=HEIGHT),
            render(keypoints, scores, width=WIDTH, height=HEIGHT),
        )


@pytest.mark.parametrize(("place", "score"), [(math.nan, 1.0), (4.0, 0.0), (4.0, math.nan), (0.0, 1.0)])
def test_an_empty_clip_gives_zeros(place, score):
    keypoints, scores = torch.full((2, 1, 3, 17, 2), place), torch.full((2, 1, 3, 17), score)
    joints = joint_heatmaps(keypoints, scores, width=WIDTH, height=HEIGHT)
    limbs = limb_heatmaps(keypoints, scores, limbs_of(COCO_17), width=WIDTH, height=HEIGHT)
    assert joints.shape == limbs.shape == (2, 17, 3, HEIGHT, WIDTH)
    assert torch.equal(joints, torch.zeros_like(joints))
    assert torch.equal(limbs, torch.zeros_like(limbs))


def test_a_joint_outside_the_map_reaches_only_the_first_column():
    # 1 px to the left of the map: 1.5 px from the centers of the first column, 2.5 px from the second.
    (frame,) = joint_heatmaps(*single((-1.0, 4.5)), width=WIDTH, height=HEIGHT)[0, 0]
    assert frame[4, 0].item() == pytest.approx(math.exp(-(1.5**2) / 0.72))
    assert not frame[:, 1:].any()
    assert not joint_heatmaps(*single((-1.4, 4.5)), width=WIDTH, height=HEIGHT).any()


def test_limbs_of_coco_are_its_bones_and_hip_to_hip():
    limbs = limbs_of(COCO_17)
    assert limbs[:-1] == COCO_17.edges
    assert [COCO_17.joint_names[joint] for joint in limbs[-1]] == ["left hip", "right hip"]


def test_limbs_of_kinect_are_its_bones():
    assert limbs_of(KINECT_V2_25) == KINECT_V2_25.edges


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_of_mirrored_keypoints_are_mirrored_maps(layout, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 2, 2, layout.num_joints)
    keypoints = torch.rand(*shape, 2, generator=generator, dtype=torch.float64) * 16 - 2
    scores = torch.rand(shape, generator=generator, dtype=torch.float64)
    clips = keypoints, scores
    other = mirror(*clips, torch.tensor([True, True]), layout=layout, width=WIDTH)
    size = {"width": WIDTH, "height": HEIGHT}
    others = mirrored_joints(layout)

    joints = joint_heatmaps(*clips, **size).flip(-1)[:, others]
    torch.testing.assert_close(joint_heatmaps(*other, **size), joints, rtol=1e-9, atol=1e-12)

    limbs = limbs_of(layout)
    pairs = [frozenset(limb) for limb in limbs]
    order = [pairs.index(frozenset(others[joint] for joint in limb)) for limb in limbs]
    torch.testing.assert_close(
        limb_heatmaps(*other, limbs, **size),
        limb_heatmaps(*clips, limbs, **size).flip(-1)[:, order],
        rtol=1e-9,
        atol=1e-12,
    )


def test_inputs_are_not_changed():
    keypoints, scores = some_clips()
    before = keypoints.clone(), scores.clone()
    joint_heatmaps(keypoints, scores, width=WIDTH, height=HEIGHT)
    limb_heatmaps(keypoints, scores, LIMBS, width=WIDTH, height=HEIGHT)
    assert torch.equal(keypoints.nan_to_num(), before[0].nan_to_num())
    assert torch.equal(scores.nan_to_num(), before[1].nan_to_num())
