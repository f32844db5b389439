"""Boxes of keypoints, and augmentation on them.

Legend: B clips, M persons, T frames, V joints.
"""

import math

import pytest
import torch

from autohier.data.skeleton import COCO_17, LAYOUTS
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.clip_random import ClipRandom
from autohier.data.transforms.tensors.keypoints import (
    center_boxes,
    compact_boxes,
    map_into_boxes,
    mirror,
    random_boxes,
    random_crop_mirror,
)

NAN = math.nan
IMAGE_12 = torch.tensor([[640.0, 480.0]])
"""Width and height."""


def clip_of(*places):
    """Return one clip of one person in one frame: keypoints [1, 1, 1, V, 2], every score 1."""
    places_11V2 = torch.tensor(places).reshape(1, 1, 1, -1, 2)
    return places_11V2, torch.ones(places_11V2.shape[:-1])


def box_of(*places, **options):
    return compact_boxes(*clip_of(*places), IMAGE_12, **options)[0].tolist()


def test_the_box_is_a_square_around_all_joints():
    # 80 wide and 40 high: 80 * 1.25 = 100 a side around (140, 120).
    assert box_of((100.0, 100.0), (180.0, 140.0), (150.0, 120.0)) == [90.0, 70.0, 190.0, 170.0]
    # 40 wide and 80 high, without padding.
    assert box_of((100.0, 100.0), (140.0, 180.0), padding=0.0) == [80.0, 100.0, 160.0, 180.0]


def test_the_box_may_extend_beyond_the_image():
    # A side of 1.25 * 400 around (220, 240): beyond the left edge.
    assert box_of((20.0, 40.0), (420.0, 440.0)) == [-30.0, -10.0, 470.0, 490.0]


def test_one_box_for_all_persons_and_frames_of_a_clip():
    keypoints = torch.full((2, 2, 3, 4, 2), 50.0)
    keypoints[0, 0, 0, 0] = torch.tensor([10.0, 30.0])
    keypoints[0, 1, 2, 3] = torch.tensor([90.0, 60.0])
    keypoints[1, 0, 1, 1] = torch.tensor([70.0, 70.0])
    boxes = compact_boxes(keypoints, torch.ones(2, 2, 3, 4), IMAGE_12.expand(2, 2))
    # 80 wide around (50, 45); 20 wide and high around (60, 60).
    assert boxes.tolist() == [[0.0, -5.0, 100.0, 95.0], [47.5, 47.5, 72.5, 72.5]]


@pytest.mark.parametrize("absent", [(NAN, NAN), (NAN, 5.0), (math.inf, 5.0), (0.0, 0.0)])
def test_absent_joints_do_not_widen_the_box(absent):
    assert box_of((100.0, 100.0), absent, (180.0, 140.0)) == [90.0, 70.0, 190.0, 170.0]


def test_a_joint_on_the_edge_of_the_image_is_present():
    assert box_of((0.0, 100.0), (80.0, 140.0)) == [-10.0, 70.0, 90.0, 170.0]


@pytest.mark.parametrize("score", [0.0, NAN])
def test_joints_without_a_score_do_not_widen_the_box(score):
    keypoints, scores = clip_of((100.0, 100.0), (500.0, 400.0), (180.0, 140.0))
    scores[..., 1] = score
    assert compact_boxes(keypoints, scores, IMAGE_12)[0].tolist() == [90.0, 70.0, 190.0, 170.0]


@pytest.mark.parametrize(
    "places",
    [
        [(100.0, 100.0), (109.0, 300.0)],
        [(100.0, 100.0), (300.0, 109.0)],
        [(100.0, 100.0)],
        [(NAN, NAN), (0.0, 0.0)],
    ],
)
def test_a_clip_with_less_than_ten_pixels_or_no_joints_gets_the_whole_image(places):
    assert box_of(*places) == [0.0, 0.0, 640.0, 480.0]


def test_ten_pixels_are_enough():
    assert box_of((100.0, 100.0), (110.0, 110.0)) == [98.75, 98.75, 111.25, 111.25]


def test_corners_of_a_box_become_corners_of_the_map():
    keypoints, _ = clip_of((90.0, 70.0), (190.0, 170.0), (140.0, 95.0), (NAN, 1.0), (0.0, 0.0), (0.0, 70.0))
    boxes = torch.tensor([[90.0, 70.0, 190.0, 170.0]])
    mapped = map_into_boxes(keypoints, boxes, width=50, height=20)[0, 0, 0]
    assert mapped[:3].tolist() == [[0.0, 0.0], [50.0, 20.0], [25.0, 5.0]]
    assert mapped[3:5].isnan().any(dim=-1).all()
    # Only a joint at (0, 0) is absent.
    assert mapped[5].tolist() == [-45.0, 0.0]


def shares_of(num_boxes=4000, seed=0, **options):
    """Return random boxes in the unit square: left, top, right, bottom."""
    units = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(num_boxes, 1)
    return random_boxes(units, random=ClipRandom.seeded(seed, num_boxes), **options)


def test_random_boxes_lie_within_the_box_and_the_bounds_of_area_and_aspect():
    left, top, right, bottom = shares_of().unbind(dim=1)
    width, height = right - left, bottom - top
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 1 + 1e-6
    area, aspect = width * height, width / height
    assert 0.56 - 1e-5 < area.min() < 0.57
    assert 0.97 < area.max() <= 1
    assert 3 / 4 - 1e-5 < aspect.min() < 0.78
    assert 1.28 < aspect.max() < 4 / 3 + 1e-5
    # Half are wider than high: 2000 of 4000, within five standard deviations of 31.6.
    assert abs(int((aspect > 1).sum()) - 2000) < 158


def test_positions_of_random_boxes_are_uniform():
    left, top, right, bottom = shares_of().unbind(dim=1)
    for low, high in ((left, right), (top, bottom)):
        room = 1 - (high - low)
        # Uniform in the free space: a mean of a half, within five standard deviations, 1 / sqrt(12 * 4000).
        assert (low / room)[room > 1e-3].mean().item() == pytest.approx(0.5, abs=0.023)


def test_the_center_box_has_the_mean_area():
    boxes = torch.tensor([[0.0, 10.0, 100.0, 60.0]])
    # Halfway between 0.28 and 1 is 0.64, a square with sides of 0.8: 10 of 100 are cut off on each side.
    assert center_boxes(boxes, min_area=0.28).tolist() == [pytest.approx([10, 15, 90, 55])]
    assert center_boxes(boxes, min_area=1.0).tolist() == [pytest.approx([0, 10, 100, 60])]
    (left, _, right, _), *_ = center_boxes(boxes, min_area=0.56).tolist()
    assert 56 / ((right - left) / 100) == pytest.approx(63.41, abs=0.01)


@pytest.mark.parametrize("min_area", [0.01, 0.28, 0.56, 1.0])
def test_the_center_box_contains_all_joints(min_area):
    places, scores = clip_of([(100.0, 100.0), (180.0, 140.0), (120.0, 20.0)])
    boxes = center_boxes(compact_boxes(places, scores, IMAGE_12), min_area=min_area)
    mapped = map_into_boxes(places, boxes, width=56, height=56)
    assert mapped.min() >= -1e-4
    assert mapped.max() <= 56 + 1e-4


def test_without_a_fitting_sample_the_whole_box_is_used():
    assert (shares_of(8, min_area=1.0, aspect=(2.0, 3.0)) == torch.tensor([0.0, 0.0, 1.0, 1.0])).all()


def test_random_boxes_are_relative_to_their_box():
    boxes = torch.tensor([[-20.0, 10.0, 80.0, 60.0], [5.0, 5.0, 6.0, 7.0]])
    parts = random_boxes(boxes, random=ClipRandom.seeded(3, 2))
    for box, part, share in zip(boxes, parts, shares_of(2, seed=3), strict=True):
        left, top, right, bottom = box.tolist()
        expected = [
            left + share[0] * (right - left),
            top + share[1] * (bottom - top),
            left + share[2] * (right - left),
            top + share[3] * (bottom - top),
        ]
        assert part.tolist() == pytest.approx([each.item() for each in expected])


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_mirroring_swaps_only_left_and_right(layout):
    names, others = layout.joint_names, mirrored_joints(layout).tolist()
    for joint, other in enumerate(others):
        assert others[other] == joint
        left, right = sorted((names[joint], names[other]))
        assert joint == other or left.replace("left ", "right ", 1) == right
        assert (joint == other) == (not names[joint].startswith(("left ", "right ")))


def random_clips(num_clips=3, *, seed=0):
    """Return keypoints and scores whose mirror images are exact in float32."""
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.randint(0, 56 * 64, (num_clips, 2, 4, 17, 2), generator=generator) / 64
    return keypoints, torch.rand(num_clips, 2, 4, 17, generator=generator)


def test_mirrored_by_hand():
    keypoints, scores = random_clips()
    mirrored, mirrored_scores = mirror(
        keypoints, scores, torch.tensor([True, False, True]), layout=COCO_17, width=56
    )
    names = COCO_17.joint_names
    left, right = names.index("left knee"), names.index("right knee")
    for clip in (0, 2):
        assert torch.equal(mirrored[clip, ..., left, 0], 56 - keypoints[clip, ..., right, 0])
        assert torch.equal(mirrored[clip, ..., left, 1], keypoints[clip, ..., right, 1])
        assert torch.equal(mirrored_scores[clip, ..., right], scores[clip, ..., left])
        assert torch.equal(mirrored[clip, ..., 0, 0], 56 - keypoints[clip, ..., 0, 0])
    assert torch.equal(mirrored[1], keypoints[1])
    assert torch.equal(mirrored_scores[1], scores[1])


def test_mirroring_twice_changes_nothing():
    clips = random_clips()
    twice = clips
    for _ in range(2):
        twice = mirror(*twice, torch.tensor([True, True, False]), layout=COCO_17, width=56)
    assert all(torch.equal(*pair) for pair in zip(clips, twice, strict=True))


def augmented(*, flip, seed=0, num_clips=300, **options):
    keypoints = torch.full((num_clips, 1, 1, 17, 2), NAN)
    keypoints[..., 5, :] = torch.tensor([110.0, 120.0])
    keypoints[..., 6, :] = torch.tensor([160.0, 180.0])
    scores = torch.zeros(num_clips, 1, 1, 17)
    scores[..., 5], scores[..., 6] = 0.5, 0.75
    boxes = torch.tensor([[100.0, 100.0, 200.0, 200.0]]).repeat(num_clips, 1)
    return random_crop_mirror(
        keypoints,
        scores,
        boxes,
        layout=COCO_17,
        width=56,
        height=48,
        flip=flip,
        random=ClipRandom.seeded(seed, num_clips),
        **options,
    )


def test_training_crops_and_mirrors_half_of_the_clips():
    straight, mirrored = augmented(flip=False), augmented(flip=True)
    parts = random_boxes(
        torch.tensor([[100.0, 100.0, 200.0, 200.0]]).repeat(300, 1),
        random=ClipRandom.seeded(0, 300),
    )
    num_mirrored = 0
    for clip, (left, top, right, bottom) in enumerate(parts.tolist()):
        places = [
            ((x - left) * 56 / (right - left), (y - top) * 48 / (bottom - top))
            for x, y in ((110, 120), (160, 180))
        ]
        assert straight[0][clip, 0, 0, 5].tolist() == pytest.approx(places[0], abs=1e-3)
        assert straight[0][clip, 0, 0, 6].tolist() == pytest.approx(places[1], abs=1e-3)
        if mirrored[1][clip, 0, 0, 5] == 0.75:
            num_mirrored += 1
            places = [(56 - x, y) for x, y in places[::-1]]
        assert mirrored[0][clip, 0, 0, 5].tolist() == pytest.approx(places[0], abs=1e-3)
        assert mirrored[0][clip, 0, 0, 6].tolist() == pytest.approx(places[1], abs=1e-3)
    # 150 of 300, within five standard deviations of 8.7.
    assert 106 < num_mirrored < 194


def test_parts_have_at_least_the_given_area():
    # Parts of nearly the whole box: positions change by at most that share.
    keypoints, _ = augmented(flip=False, min_area=0.999)
    whole = torch.tensor([0.1 * 56, 0.2 * 48])
    # If none of ten samples is nearly square, the whole box is used.
    assert (keypoints[:, 0, 0, 5] - whole).abs().max() < 0.1


def test_absent_joints_stay_absent():
    for keypoints, scores in (augmented(flip=True), augmented(flip=False)):
        assert keypoints[..., [0, 1, 16], :].isnan().all()
        assert not scores[..., [0, 1, 16]].any()


def test_augmentation_depends_only_on_the_generator():
    first, again, other = augmented(flip=True), augmented(flip=True), augmented(flip=True, seed=1)
    assert torch.equal(first[0].nan_to_num(), again[0].nan_to_num())
    assert not torch.equal(first[0].nan_to_num(), other[0].nan_to_num())
