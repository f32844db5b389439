"""Augmentation of skeletons: rotation, scaling, mirroring and dropped joints.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

import numpy as np
import pytest
import torch

from autohier.data.inputs.skeletons import SkeletonInput
from autohier.data.skeleton import COCO_17, KINECT_V2_25, LAYOUTS, Skeleton
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.clip_random import ClipRandom

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def clip_input(layout=KINECT_V2_25, **augmentation):
    return SkeletonInput(None, layout, "joint", num_frames=4, num_persons=2, **augmentation)


def clips_of(layout=KINECT_V2_25, *, num_clips=6):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(num_clips, 2, 4, layout.num_joints, 3, generator=generator)


def augmented(clips, layout=KINECT_V2_25, *, seed=0, **augmentation):
    return clip_input(layout, **augmentation).transform_train(clips, ClipRandom.seeded(seed, len(clips)))


def matrices_of(num_clips=400, layout=KINECT_V2_25, **augmentation):
    """Return each clip's linear map: the images of x, y and z in the columns of float64 [B, 3, 3]."""
    clips_BMTVC = torch.zeros(num_clips, 2, 4, layout.num_joints, 3)
    clips_BMTVC[:, :, :, :3] = torch.eye(3)
    return augmented(clips_BMTVC, layout, **augmentation)[:, 1, 2, :3].transpose(1, 2).double()


def angles_of(rotations_B33):
    """Return the angles in radians about x, then y, then z."""
    about_x_B = torch.atan2(rotations_B33[:, 2, 1], rotations_B33[:, 2, 2])
    about_y_B = -torch.asin(rotations_B33[:, 2, 0])
    about_z_B = torch.atan2(rotations_B33[:, 1, 0], rotations_B33[:, 0, 0])
    return torch.stack([about_x_B, about_y_B, about_z_B], dim=1)


def test_without_augmentation_nothing_changes():
    clips = clips_of()
    assert torch.equal(augmented(clips), clips)


class TestRotation:
    def test_matrices_are_proper_rotations(self):
        matrices_B33 = matrices_of(rotation_degrees=50.0)
        products_B33 = matrices_B33.transpose(1, 2) @ matrices_B33
        torch.testing.assert_close(products_B33, torch.eye(3).double().expand(400, 3, 3), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            torch.linalg.det(matrices_B33), torch.ones(400).double(), atol=1e-5, rtol=0
        )

    def test_angles_are_independent_and_uniform_up_to_the_bound(self):
        degrees_B3 = angles_of(matrices_of(2000, rotation_degrees=30.0)).rad2deg()
        assert degrees_B3.abs().max() <= 30.001
        for axis in range(3):
            counts = torch.histc(degrees_B3[:, axis].float(), bins=4, min=-30, max=30)
            # 2000 clips in four bins: five standard deviations around 500 are 97.
            assert (counts - 500).abs().max() < 97
        assert (torch.corrcoef(degrees_B3.T) - torch.eye(3)).abs().max() < 0.1

    def test_all_persons_and_frames_of_a_clip_share_one_rotation(self):
        clips = clips_of()
        rotated = augmented(clips, rotation_degrees=40.0)
        matrices_B33 = matrices_of(6, rotation_degrees=40.0)
        expected = torch.einsum("bmtvc,bdc->bmtvd", clips.double(), matrices_B33).float()
        torch.testing.assert_close(rotated, expected, atol=1e-5, rtol=0)


class TestScaling:
    def test_scales_are_independent_and_uniform_up_to_the_bound(self):
        matrices_B33 = matrices_of(2000, scaling=0.2)
        scales_B3 = matrices_B33.diagonal(dim1=1, dim2=2)
        assert torch.equal(matrices_B33, torch.diag_embed(scales_B3))
        assert (scales_B3 - 1).abs().max() <= 0.2001
        for axis in range(3):
            counts = torch.histc(scales_B3[:, axis].float(), bins=4, min=0.8, max=1.2)
            assert (counts - 500).abs().max() < 97
        assert (torch.corrcoef(scales_B3.T) - torch.eye(3)).abs().max() < 0.1

    def test_axes_are_scaled_before_rotation(self):
        both_B33 = matrices_of(rotation_degrees=40.0, scaling=0.2)
        product_B33 = matrices_of(rotation_degrees=40.0) @ matrices_of(scaling=0.2)
        torch.testing.assert_close(both_B33, product_B33, atol=1e-5, rtol=0)


class TestMirroring:
    @every_layout
    def test_x_is_mirrored_and_sides_are_swapped_in_half_of_the_clips(self, layout):
        clips = clips_of(layout, num_clips=400)
        flipped = augmented(clips, layout, flip=True)
        mirrored = clips[:, :, :, mirrored_joints(layout)] * torch.tensor([-1.0, 1.0, 1.0])
        same_B = (flipped == clips).flatten(1).all(dim=1)
        other_B = (flipped == mirrored).flatten(1).all(dim=1)
        assert torch.equal(same_B, ~other_B)
        assert 150 < other_B.sum() < 250

    def test_mirroring_twice_changes_nothing(self):
        clips = clips_of()
        once = augmented(clips, flip=True)
        assert not torch.equal(once, clips)
        assert torch.equal(augmented(once, flip=True), clips)

    def test_the_other_augmentations_do_not_depend_on_it(self):
        clips = clips_of(num_clips=40)
        others = {"rotation_degrees": 20.0, "scaling": 0.1, "joint_drop": 0.3}
        with_flip, without = augmented(clips, flip=True, **others), augmented(clips, **others)
        same_B = (with_flip == without).flatten(1).all(dim=1)
        mirrored_B = (augmented(clips, flip=True) != clips).flatten(1).any(dim=1)
        assert torch.equal(same_B, ~mirrored_B)
        assert torch.equal(with_flip == 0, without == 0)

    def test_clips_are_mirrored_before_rotation(self):
        clips = clips_of(num_clips=40)
        both = augmented(clips, flip=True, rotation_degrees=40.0, scaling=0.1)
        after = augmented(augmented(clips, flip=True), rotation_degrees=40.0, scaling=0.1)
        torch.testing.assert_close(both, after, atol=1e-5, rtol=0)


class TestDroppingJoints:
    def test_a_joint_is_dropped_from_the_whole_clip_with_the_given_probability(self):
        clips = clips_of(num_clips=400)
        augmented_clips = augmented(clips, joint_drop=0.15)
        dropped_BV = (augmented_clips == 0).all(dim=(1, 2, 4))
        assert torch.equal(augmented_clips, clips.masked_fill(dropped_BV[:, None, None, :, None], 0.0))
        # Five standard deviations of a share of 10,000 joints: sqrt(0.15 * 0.85 / 10,000) is 0.0036.
        assert dropped_BV.float().mean() == pytest.approx(0.15, abs=0.018)
        assert len(dropped_BV.unique(dim=0)) > 200


class TestInImages:
    def test_scores_are_kept_and_positions_stay_in_the_plane(self):
        clips = clips_of(COCO_17)
        changed = augmented(clips, COCO_17, rotation_degrees=40.0, scaling=0.2)
        assert torch.equal(changed[..., 2], clips[..., 2])
        assert (changed[..., :2] != clips[..., :2]).all()
        matrices_B33 = matrices_of(400, COCO_17, rotation_degrees=40.0, scaling=0.2)
        assert torch.equal(matrices_B33[:, 2], torch.eye(3)[2].double().expand(400, 3))
        assert torch.equal(matrices_B33[:, :, 2], torch.eye(3)[2].double().expand(400, 3))

    def test_positions_rotate_about_the_middle_of_the_image(self):
        matrices_B33 = matrices_of(2000, COCO_17, rotation_degrees=30.0)
        degrees_B3 = angles_of(matrices_B33).rad2deg()
        assert not degrees_B3[:, :2].any()
        assert 29 < degrees_B3[:, 2].abs().max() <= 30.001
        torch.testing.assert_close(
            torch.linalg.det(matrices_B33), torch.ones(2000).double(), atol=1e-5, rtol=0
        )


def bones(clips, layout):
    parents = np.arange(layout.num_joints)
    for child, parent in layout.edges:
        parents[child] = parent
    return difference(clips, clips[:, :, :, parents], layout)


def motions(clips, layout):
    return difference(torch.cat([clips[:, :, 1:], clips[:, :, -1:]], dim=2), clips, layout)


def bone_motions(clips, layout):
    return motions(bones(clips, layout), layout)


def difference(left, right, layout):
    change = left - right
    if layout.planar:
        change[..., 2] = (left[..., 2] + right[..., 2]) / 2
    return change


@every_layout
@pytest.mark.parametrize("derive", [bones, motions, bone_motions])
def test_augmenting_a_stream_equals_augmenting_the_positions(layout, derive):
    clips = clips_of(layout, num_clips=20)
    augmentation = {"rotation_degrees": 40.0, "scaling": 0.2, "flip": True}
    stream_first = augmented(derive(clips, layout), layout, **augmentation)
    augmentation_first = derive(augmented(clips, layout, **augmentation), layout)
    torch.testing.assert_close(stream_first, augmentation_first, atol=1e-5, rtol=0)
    assert not torch.equal(stream_first, derive(clips, layout))


class CountedFrames:
    """A store of one clip, whose joints are at (n, n, n) in frame n, counted from 1."""

    def __init__(self, num_frames):
        numbers = np.arange(1, num_frames + 1, dtype=np.float32)
        joints = np.broadcast_to(numbers[None, :, None, None], (1, num_frames, 25, 3)).copy()
        joints[:, :, 0] = 0.0
        self._skeleton = Skeleton(
            joints, np.full((1, num_frames, 25, 2), np.nan, np.float32), 1, 1, "kinect-v2-25"
        )

    def skeleton(self, row):  # noqa: ARG002
        return self._skeleton


@pytest.mark.parametrize("sampling", ["padded", "repeated"])
@pytest.mark.parametrize("stream", ["joint", "joint-motion"])
@pytest.mark.parametrize(("num_stored", "num_read"), [(3, 5), (3, 7), (5, 5), (9, 5)])
def test_whole_clips_are_the_first_frames_with_zeros_or_the_clip_behind(
    sampling, stream, num_stored, num_read
):
    kwargs = {"num_frames": num_read, "num_persons": 2}
    read = SkeletonInput(CountedFrames(num_stored), KINECT_V2_25, stream, sampling=sampling, **kwargs)
    # As many segments as frames read each frame.
    whole = SkeletonInput(
        CountedFrames(num_stored), KINECT_V2_25, stream, num_frames=num_stored, num_persons=2
    ).read_eval(0, 0, 1)
    times = 3 if sampling == "repeated" else 1
    padded = np.pad(np.tile(whole, (1, times, 1, 1)), ((0, 0), (0, num_read), (0, 0), (0, 0)))
    for clip in (
        read.read_train(0, np.random.default_rng(0)),
        read.read_eval(0, 0, 3),
        read.read_eval(0, 2, 3),
    ):
        np.testing.assert_array_equal(clip, padded[:, :num_read])


def test_a_repeated_clip_without_frames_is_empty():
    read = SkeletonInput(
        CountedFrames(0), KINECT_V2_25, "joint", sampling="repeated", num_frames=4, num_persons=1
    )
    assert not read.read_eval(0, 0, 1).any()
