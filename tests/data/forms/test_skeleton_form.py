"""What training does to skeletons: turned, stretched, mirrored, and without some joints.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

import numpy as np
import pytest
import torch

from autohier.data.forms.skeletons import SkeletonForm
from autohier.data.preprocessing.skeletons import mirrored_joints
from autohier.data.skeleton import COCO_17, KINECT_V2_25, LAYOUTS

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def form(layout=KINECT_V2_25, **augmentation):
    return SkeletonForm(None, layout, "joint", num_frames=4, num_persons=2, **augmentation)


def clips_of(layout=KINECT_V2_25, *, num_clips=6):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(num_clips, 2, 4, layout.num_joints, 3, generator=generator)


def augmented(clips, layout=KINECT_V2_25, *, seed=0, **augmentation):
    return form(layout, **augmentation).augment(clips, torch.Generator().manual_seed(seed))


def maps_of(num_clips=400, layout=KINECT_V2_25, **augmentation):
    """What becomes of x, y and z in every clip, in the columns of float64 [B, 3, 3]."""
    clips_BMTVC = torch.zeros(num_clips, 2, 4, layout.num_joints, 3)
    clips_BMTVC[:, :, :, :3] = torch.eye(3)
    return augmented(clips_BMTVC, layout, **augmentation)[:, 1, 2, :3].transpose(1, 2).double()


def angles_of(rotations_B33):
    """Radians about x, then y, then z."""
    about_x_B = torch.atan2(rotations_B33[:, 2, 1], rotations_B33[:, 2, 2])
    about_y_B = -torch.asin(rotations_B33[:, 2, 0])
    about_z_B = torch.atan2(rotations_B33[:, 1, 0], rotations_B33[:, 0, 0])
    return torch.stack([about_x_B, about_y_B, about_z_B], dim=1)


def test_without_augmentation_nothing_changes():
    clips = clips_of()
    assert torch.equal(augmented(clips), clips)


class TestTurning:
    def test_lengths_stay_and_nothing_is_mirrored(self):
        maps_B33 = maps_of(rotation_degrees=50.0)
        products_B33 = maps_B33.transpose(1, 2) @ maps_B33
        torch.testing.assert_close(products_B33, torch.eye(3).double().expand(400, 3, 3), atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.linalg.det(maps_B33), torch.ones(400).double(), atol=1e-5, rtol=0)

    def test_every_axis_has_angles_of_its_own_evenly_up_to_the_bound(self):
        degrees_B3 = angles_of(maps_of(2000, rotation_degrees=30.0)).rad2deg()
        assert degrees_B3.abs().max() <= 30.001
        for axis in range(3):
            counts = torch.histc(degrees_B3[:, axis].float(), bins=4, min=-30, max=30)
            # 2000 clips in four parts: five deviations of 500 are 97.
            assert (counts - 500).abs().max() < 97
        assert (torch.corrcoef(degrees_B3.T) - torch.eye(3)).abs().max() < 0.1

    def test_all_persons_and_frames_of_a_clip_turn_alike(self):
        clips = clips_of()
        turned = augmented(clips, rotation_degrees=40.0)
        maps_B33 = maps_of(6, rotation_degrees=40.0)
        expected = torch.einsum("bmtvc,bdc->bmtvd", clips.double(), maps_B33).float()
        torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


class TestStretching:
    def test_every_axis_has_a_share_of_its_own_up_to_the_bound(self):
        maps_B33 = maps_of(2000, scaling=0.2)
        shares_B3 = maps_B33.diagonal(dim1=1, dim2=2)
        assert torch.equal(maps_B33, torch.diag_embed(shares_B3))
        assert (shares_B3 - 1).abs().max() <= 0.2001
        for axis in range(3):
            counts = torch.histc(shares_B3[:, axis].float(), bins=4, min=0.8, max=1.2)
            assert (counts - 500).abs().max() < 97
        assert (torch.corrcoef(shares_B3.T) - torch.eye(3)).abs().max() < 0.1

    def test_axes_are_stretched_before_they_turn(self):
        both_B33 = maps_of(rotation_degrees=40.0, scaling=0.2)
        apart_B33 = maps_of(rotation_degrees=40.0) @ maps_of(scaling=0.2)
        torch.testing.assert_close(both_B33, apart_B33, atol=1e-5, rtol=0)


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

    def test_twice_is_not_at_all(self):
        clips = clips_of()
        once = augmented(clips, flip=True)
        assert not torch.equal(once, clips)
        assert torch.equal(augmented(once, flip=True), clips)

    def test_it_changes_no_other_draw(self):
        clips = clips_of(num_clips=40)
        others = {"rotation_degrees": 20.0, "scaling": 0.1, "joint_drop": 0.3}
        with_flip, without = augmented(clips, flip=True, **others), augmented(clips, **others)
        same_B = (with_flip == without).flatten(1).all(dim=1)
        mirrored_B = (augmented(clips, flip=True) != clips).flatten(1).any(dim=1)
        assert torch.equal(same_B, ~mirrored_B)
        assert torch.equal(with_flip == 0, without == 0)

    def test_a_mirrored_clip_is_turned_afterwards(self):
        clips = clips_of(num_clips=40)
        both = augmented(clips, flip=True, rotation_degrees=40.0, scaling=0.1)
        after = augmented(augmented(clips, flip=True), rotation_degrees=40.0, scaling=0.1)
        torch.testing.assert_close(both, after, atol=1e-5, rtol=0)


class TestDroppingJoints:
    def test_a_joint_goes_from_a_whole_clip_as_often_as_is_said(self):
        clips = clips_of(num_clips=400)
        dropped = augmented(clips, joint_drop=0.15)
        gone_BV = (dropped == 0).all(dim=(1, 2, 4))
        assert torch.equal(dropped, clips.masked_fill(gone_BV[:, None, None, :, None], 0.0))
        # Five deviations of a share of 10,000 joints: sqrt(0.15 * 0.85 / 10,000) is 0.0036.
        assert gone_BV.float().mean() == pytest.approx(0.15, abs=0.018)
        assert len(gone_BV.unique(dim=0)) > 200


class TestInImages:
    def test_scores_stay_and_places_keep_to_the_plane(self):
        clips = clips_of(COCO_17)
        changed = augmented(clips, COCO_17, rotation_degrees=40.0, scaling=0.2)
        assert torch.equal(changed[..., 2], clips[..., 2])
        assert (changed[..., :2] != clips[..., :2]).all()
        maps_B33 = maps_of(400, COCO_17, rotation_degrees=40.0, scaling=0.2)
        assert torch.equal(maps_B33[:, 2], torch.eye(3)[2].double().expand(400, 3))
        assert torch.equal(maps_B33[:, :, 2], torch.eye(3)[2].double().expand(400, 3))

    def test_places_turn_about_the_middle(self):
        maps_B33 = maps_of(2000, COCO_17, rotation_degrees=30.0)
        degrees_B3 = angles_of(maps_B33).rad2deg()
        assert not degrees_B3[:, :2].any()
        assert 29 < degrees_B3[:, 2].abs().max() <= 30.001
        torch.testing.assert_close(torch.linalg.det(maps_B33), torch.ones(2000).double(), atol=1e-5, rtol=0)


def bones(clips, layout):
    before = np.arange(layout.num_joints)
    for child, parent in layout.edges:
        before[child] = parent
    return difference(clips, clips[:, :, :, before], layout)


def motions(clips, layout):
    return difference(torch.cat([clips[:, :, 1:], clips[:, :, -1:]], dim=2), clips, layout)


def bone_motions(clips, layout):
    return motions(bones(clips, layout), layout)


def difference(these, those, layout):
    changed = these - those
    if layout.planar:
        changed[..., 2] = (these[..., 2] + those[..., 2]) / 2
    return changed


@every_layout
@pytest.mark.parametrize("derive", [bones, motions, bone_motions])
def test_a_stream_is_changed_as_its_places_are(layout, derive):
    clips = clips_of(layout, num_clips=20)
    augmentation = {"rotation_degrees": 40.0, "scaling": 0.2, "flip": True}
    stream_first = augmented(derive(clips, layout), layout, **augmentation)
    places_first = derive(augmented(clips, layout, **augmentation), layout)
    torch.testing.assert_close(stream_first, places_first, atol=1e-5, rtol=0)
    assert not torch.equal(stream_first, derive(clips, layout))
