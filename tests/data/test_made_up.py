"""Made-up frames: a store's shapes, and JPEGs of a usual size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.data.batches import ClipBatches
from autohier.data.forms.frames import FrameForm
from autohier.data.made_up import MadeUpClips
from autohier.data.skeleton import LAYOUTS, JointLayout


@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_read_as_a_store_is(channels: int) -> None:
    clips = MadeUpClips.of(5, num_classes=3, size_px=64, channels=channels, joint_layout="coco-17")
    form = FrameForm(clips, channels, num_frames=4, resize_px=32, crop_px=32)
    batches = ClipBatches(form, np.arange(5), batch_size=5, device=torch.device("cpu"))
    (batch,) = batches.evaluation_set(0, 1)
    assert batch.clips.shape == (5, 4, 32, 32, channels)
    assert batch.clips.dtype == torch.uint8
    assert batch.labels_B.tolist() == [0, 1, 2, 0, 1]
    assert clips.frames(0, [0, 0]).shape == (2, 64, 64, channels)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_their_people_are_seen_as_the_layout_has_it(layout: JointLayout) -> None:
    clips = MadeUpClips.of(1, num_classes=1, size_px=16, channels=3, joint_layout=layout.name)
    skeleton = clips.skeleton(0)
    assert skeleton.layout == layout.name
    assert skeleton.pixels_MTV2.shape[2:] == (layout.num_joints, 2)
    assert np.isnan(skeleton.joints_MTV3_m).all() == layout.planar
    assert (skeleton.scores_MTV is not None) == layout.planar
    # Anywhere in the image, so that there is a box around them.
    assert np.ptp(skeleton.pixels_MTV2, axis=(0, 1, 2)).min() > 0.9 * skeleton.image_width_px


def test_a_frame_costs_what_a_real_one_does_to_decode() -> None:
    # A photograph of 256 x 256 pixels at quality 90 takes some 15 to 40 kB.
    clips = MadeUpClips.of(1, num_classes=1, size_px=256, channels=3, joint_layout="coco-17")
    assert 15_000 < len(clips.jpeg) < 40_000
