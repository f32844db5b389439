"""Heatmap input: the keypoints read from a store, and the maps rendered from them.

Legend: B clips, M persons, T frames, V joints.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autohier.data.inputs.heatmaps import HeatmapInput
from autohier.data.skeleton import COCO_17, LAYOUTS, Skeleton
from autohier.data.transforms.limbs import limbs_of
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.clip_random import ClipRandom

NAN = math.nan


def clip_of(places, *, scores=None, num_frames=4, layout=COCO_17):
    """Return a clip with constant joint positions: {joint: (x, y)} for each person."""
    shape_MTV = (len(places), num_frames, layout.num_joints)
    pixels_MTV2 = np.full((*shape_MTV, 2), NAN, dtype=np.float32)
    for person, joints in enumerate(places):
        for joint, place in joints.items():
            pixels_MTV2[person, :, joint] = place
    return Skeleton(np.full((*shape_MTV, 3), NAN, np.float32), pixels_MTV2, 640, 480, layout.name, scores)


def input_of(*clips, layout=COCO_17, maps="joints", **options):
    store = SimpleNamespace(
        clips=SimpleNamespace(label=np.arange(len(clips))), skeleton=list(clips).__getitem__
    )
    sizes = {"num_frames": 2, "num_persons": 2, "size_px": 25, **options}
    return HeatmapInput(store, layout, maps, **sizes)


def eval_clip(clip_input, row=0):
    return clip_input.transform_eval(torch.from_numpy(clip_input.read_eval(row, 0, 1))[None])[0]


def peaks_of(clip_VTHW):
    """Return column and row of the highest pixel of every non-empty map in the first frame."""
    return {
        joint: divmod(int(map_HW.argmax()), map_HW.shape[1])[::-1]
        for joint, map_HW in enumerate(clip_VTHW[:, 0])
        if map_HW.any()
    }


# Joints from (100, 100) to (180, 140) of two people: the box has a side of 1.25 * 80 px around (140, 120),
# from (90, 70) to (190, 170). Its hundred pixels are 25 of the maps, four to one.
TWO_PEOPLE = [{0: (100, 100), 5: (180, 140)}, {9: (145, 128)}]


def test_joints_are_placed_in_the_box_of_all_people():
    clip_VTHW = eval_clip(input_of(clip_of(TWO_PEOPLE)))
    assert clip_VTHW.shape == (17, 2, 25, 25)
    # (100 - 90) / 4 and (100 - 70) / 4 are 2.5 and 7.5, the middle of pixel (2, 7), and so on.
    assert peaks_of(clip_VTHW) == {0: (2, 7), 5: (22, 17), 9: (13, 14)}
    assert clip_VTHW[0, 0, 7, 2].item() == pytest.approx(1)
    # 55 / 4 lies a quarter of a pixel from the middle of its pixel.
    assert clip_VTHW[9, 0, 14, 13].item() == pytest.approx(math.exp(-(0.25**2) / (2 * 0.6**2)), rel=1e-4)


def test_with_training_on_parts_of_the_box_evaluation_uses_its_middle():
    # With parts of 0.28 to 1 of the box, the middle has sides of 0.8, from (100, 80) to (180, 160): two
    # pixels of the image are one of 40.
    both = [{0: (100, 100), 5: (180, 140)}, {9: (145, 129)}]
    clip_VTHW = eval_clip(input_of(clip_of(both), min_area=0.28, size_px=40))
    assert peaks_of(clip_VTHW)[9] == (22, 24)
    assert clip_VTHW[9, 0, 24, 22].item() == pytest.approx(1)


def test_scores_weigh_the_maps():
    scores_MTV = np.full((2, 4, 17), 0.5, dtype=np.float32)
    scores_MTV[0, :, 5] = 0
    sure, unsure = clip_of(TWO_PEOPLE), clip_of(TWO_PEOPLE, scores=scores_MTV)
    clip_input = input_of(sure, unsure)
    # Joint 5 is absent, so it does not widen the box.
    assert set(peaks_of(eval_clip(clip_input, 1))) == {0, 9}
    scores_MTV[0, :, 5] = 0.5
    torch.testing.assert_close(eval_clip(clip_input, 1), eval_clip(clip_input, 0) / 2)


def test_the_highest_of_two_people_counts():
    one, other = {0: (100, 100), 5: (180, 140)}, {0: (150, 120)}
    both = eval_clip(input_of(clip_of([one, other])))
    alone = eval_clip(input_of(clip_of([one, {}])))
    assert torch.equal(both[5], alone[5])
    assert (both[0] >= alone[0]).all()
    assert (both[0] > alone[0]).any()
    # A third person is not read and does not widen the box.
    assert torch.equal(eval_clip(input_of(clip_of([one, other, {3: (600, 400)}]))), both)


def test_limbs_connect_two_joints():
    # The parent of COCO's left elbow, 7, is the left shoulder, 5; both are in one row here.
    clip_input = input_of(clip_of([{5: (100, 102.5), 7: (180, 102.5)}]), maps="limbs")
    assert clip_input.clip_shape == (17, 2, 25, 25)
    clip_LTHW = eval_clip(clip_input)
    (limb,) = peaks_of(clip_LTHW)
    assert limbs_of(COCO_17)[limb] == (7, 5)
    # It is less than 10 px high, so the box is the image: row 102.5 * 25 / 480, from 100 * 25 / 640 to 7.03.
    row_W = clip_LTHW[limb, 0, 5]
    assert row_W[4:7].min() > 0.9
    assert row_W[8] > 0
    assert not row_W[9:].any()


def test_the_frames_of_a_set_are_those_of_its_positions():
    skeleton = clip_of(TWO_PEOPLE, num_frames=6)
    skeleton.pixels_MTV2[0, :, 5, 0] = 300 + np.arange(6)
    clip_input = input_of(skeleton, num_frames=6)
    assert clip_input.read_eval(0, 0, 1)[0, :, 5, 0].tolist() == [300, 301, 302, 303, 304, 305]
    clip = input_of(skeleton, num_frames=2).read_train(0, np.random.default_rng(0))
    first, second = clip[0, :, 5, 0] - 300
    assert 0 <= first < 3 <= second < 6


@pytest.mark.parametrize("maps", ["joints", "limbs"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_half_of_the_clips_are_mirrored_map_by_map(layout, maps):
    random = np.random.default_rng(0)
    joints = range(layout.num_joints)
    clip = clip_of([dict(zip(joints, random.uniform(50, 400, (len(joints), 2)), strict=True))], layout=layout)
    clip_input = input_of(clip, layout=layout, maps=maps, flip=True)
    batch = torch.from_numpy(clip_input.read_eval(0, 0, 1)).expand(40, -1, -1, -1, -1)
    # The crop is the whole box: no rectangle of another shape has its area.
    augmented = clip_input.transform_train(batch, ClipRandom.seeded(0, len(batch)))
    plain, others = clip_input.transform_eval(batch[:1])[0], mirrored_joints(layout).tolist()
    if maps == "limbs":
        index = {frozenset(limb): place for place, limb in enumerate(limbs_of(layout))}
        others = [index[frozenset(others[joint] for joint in limb)] for limb in limbs_of(layout)]
    mirrored = plain[others].flip(-1)
    torch.testing.assert_close(
        clip_input.transform_eval(batch[:1], mirrored=True)[0], mirrored, atol=1e-4, rtol=0
    )
    is_plain = [torch.allclose(clip_VTHW, plain, atol=1e-4) for clip_VTHW in augmented]
    is_mirrored = [torch.allclose(clip_VTHW, mirrored, atol=1e-4) for clip_VTHW in augmented]
    assert is_plain == [not each for each in is_mirrored]
    assert 8 < sum(is_mirrored) < 32


def test_training_uses_random_parts_of_the_box():
    clip_input = input_of(clip_of(TWO_PEOPLE), min_area=0.3)
    batch = torch.from_numpy(clip_input.read_eval(0, 0, 1)).expand(30, -1, -1, -1, -1)
    augmented = clip_input.transform_train(batch, ClipRandom.seeded(0, len(batch)))
    peaks = [peaks_of(clip_VTHW).get(9) for clip_VTHW in augmented]
    # The wrist is near the middle and rarely cut off; its position differs from clip to clip.
    assert peaks.count(None) < 6
    assert len(set(peaks)) > 10
