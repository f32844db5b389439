"""Every kind of corruption: what it changes, by how much, and what it leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.data.corruption.clips import CorruptedClips
from autohier.data.corruption.kinds import FrameRate, JointDrop, JointNoise, Occlusion, person_sizes
from autohier.data.skeleton import KINECT_V2_25, Skeleton
from autohier.data.store.reader import ClipStore

KINDS = [JointDrop(1.0), JointNoise(0.1), FrameRate(2), Occlusion(0.25)]


def people(num_frames=200):
    """Two people: a box of 3 x 4 x 0 meters and 30 x 40 pixels, and one who is absent but in two frames."""
    joints = np.zeros((2, num_frames, 25, 3), np.float32)
    joints[..., 2] = 5
    joints[:, :, 1, :2] = (3, 4)
    pixels = (10 * joints[..., :2] + 1).astype(np.float32)
    joints[1, 2:], pixels[1, 2:] = np.nan, 0
    return Skeleton(joints, pixels, 100, 100, KINECT_V2_25.name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_changes_its_parts_alone_and_depends_on_the_generator(kind):
    skeleton, frames = people(), np.full((5, 16, 16, 3), 200, np.uint8)
    untouched = skeleton.joints_MTV3_m.copy(), skeleton.pixels_MTV2.copy(), frames.copy()
    changed, again = (kind.change_skeleton(skeleton, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(changed.joints_MTV3_m, again.joints_MTV3_m)
    pictures, same = (kind.change_frames(frames, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(pictures, same)
    stays = list(kind.positions(8)) == list(range(8))
    changes_joints = not np.array_equal(changed.joints_MTV3_m, skeleton.joints_MTV3_m, equal_nan=True)
    assert (changes_joints or not stays) == ("joints" in kind.parts)
    assert ((pictures != frames).any() or not stays) == ("frames" in kind.parts)
    for before, now in zip(untouched, (skeleton.joints_MTV3_m, skeleton.pixels_MTV2, frames), strict=True):
        np.testing.assert_array_equal(before, now)


def test_the_size_of_a_person_is_the_diagonal_of_the_box_in_the_median_frame():
    skeleton = people()
    assert person_sizes(skeleton.joints_MTV3_m, None).tolist() == [5, 5]
    assert person_sizes(skeleton.pixels_MTV2, None).tolist() == [50, 50]
    assert person_sizes(skeleton.pixels_MTV2[:, 5:], None).tolist() == [50, 0]


def test_noise_has_the_deviation_and_leaves_absent_joints_absent():
    skeleton = people()
    noisy = JointNoise(0.1).change_skeleton(skeleton, np.random.default_rng(0))
    added_3 = (noisy.joints_MTV3_m[0] - skeleton.joints_MTV3_m[0]).reshape(-1, 3)
    # 5000 joints; the deviation of a standard deviation is a share of 1 / sqrt(2 * 5000).
    np.testing.assert_allclose(added_3.std(axis=0), 0.5, rtol=0.04)
    np.testing.assert_allclose((noisy.pixels_MTV2[0] - skeleton.pixels_MTV2[0]).std(), 5, rtol=0.04)
    np.testing.assert_array_equal(noisy.presence(), skeleton.presence())


def test_every_kth_frame_stays():
    assert FrameRate(4).positions(9).tolist() == [0, 4, 8]
    assert FrameRate(8).positions(3).tolist() == [0]


@pytest.mark.parametrize("area", [1 / 16, 1 / 4, 1.0])
def test_a_black_square_covers_the_area_in_all_frames(area):
    frames = np.full((3, 64, 64, 3), 9, np.uint8)
    places = set()
    for seed in range(20):
        covered = Occlusion(area).change_frames(frames, np.random.default_rng(seed))
        is_black = (covered == 0).all(axis=-1)
        assert is_black.mean() == area
        assert (is_black == is_black[0]).all()
        rows, columns = is_black[0].any(axis=1), is_black[0].any(axis=0)
        assert rows.sum() * columns.sum() == is_black[0].sum()  # one rectangle
        places.add((int(rows.argmax()), int(columns.argmax())))
    assert len(places) > 10 or area == 1.0


def test_a_clip_is_corrupted_alike_whenever_it_is_read(tiny_clips: ClipStore):
    noisy = CorruptedClips(tiny_clips, JointNoise(0.1))
    first, again = noisy.skeleton(3), noisy.skeleton(3)
    np.testing.assert_array_equal(first.joints_MTV3_m, again.joints_MTV3_m)
    other = CorruptedClips(tiny_clips, JointNoise(0.1), seed=1).skeleton(3)
    assert (other.joints_MTV3_m != first.joints_MTV3_m).any()
    own = tiny_clips.skeleton(3).joints_MTV3_m, tiny_clips.skeleton(4).joints_MTV3_m
    noise = noisy.skeleton(3).joints_MTV3_m - own[0], noisy.skeleton(4).joints_MTV3_m - own[1]
    assert not np.allclose(noise[0], noise[1])  # each clip has noise of its own


def test_frames_and_skeletons_have_the_lower_rate(tiny_clips: ClipStore):
    slow = CorruptedClips(tiny_clips, FrameRate(3))
    assert (tiny_clips.num_kept(0), slow.num_kept(0), slow.skeleton(0).num_frames) == (4, 2, 2)
    np.testing.assert_array_equal(slow.frames(0, [0, 1]), tiny_clips.frames(0, [0, 3]))
    np.testing.assert_array_equal(slow.skeleton(0).pixels_MTV2, tiny_clips.skeleton(0).pixels_MTV2[:, [0, 3]])
    assert slow.clips.clip_id == tiny_clips.clips.clip_id
    assert (slow.box_px(0), slow.video_size_px(0)) == (tiny_clips.box_px(0), tiny_clips.video_size_px(0))
