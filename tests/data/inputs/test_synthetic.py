"""Synthetic clips: a store's shapes, and JPEGs of a typical size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.loader import ClipLoader
from autohier.data.inputs.synthetic import SyntheticClips
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import COCO_17, LAYOUTS


@pytest.mark.parametrize("channels", [1, 3])
def test_synthetic_clips_are_read_like_a_store(channels: int) -> None:
    clips = SyntheticClips.generate(5, num_classes=3, size_px=64, channels=channels, layout=COCO_17)
    clip_input = FrameInput(clips, channels, num_frames=4, resize_px=32, crop_px=32)
    batches = ClipLoader(clip_input, np.arange(5), batch_size=5, device=torch.device("cpu"))
    (batch,) = batches.evaluation_set(0, 1)
    assert isinstance(batch.clips, torch.Tensor)
    assert batch.clips.shape == (5, 4, 32, 32, channels)
    assert batch.clips.dtype == torch.uint8
    assert batch.labels_B.tolist() == [0, 1, 2, 0, 1]
    assert clips.frames(0, [0, 0]).shape == (2, 64, 64, channels)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_skeletons_have_the_coordinates_of_their_layout(layout: JointLayout) -> None:
    clips = SyntheticClips.generate(1, num_classes=1, size_px=16, channels=3, layout=layout)
    skeleton = clips.skeleton(0)
    assert skeleton.layout == layout.name
    assert skeleton.pixels_MTV2.shape[2:] == (layout.num_joints, 2)
    assert np.isnan(skeleton.joints_MTV3_m).all() == layout.planar
    assert (skeleton.scores_MTV is not None) == layout.planar
    # Joints are spread over the image, so that they have a box.
    assert np.ptp(skeleton.pixels_MTV2, axis=(0, 1, 2)).min() > 0.9 * skeleton.image_width_px


def test_a_frame_has_the_size_of_a_photograph() -> None:
    # A photograph of 256 x 256 pixels at quality 90 takes about 15 to 40 kB.
    clips = SyntheticClips.generate(1, num_classes=1, size_px=256, channels=3, layout=COCO_17)
    assert 15_000 < len(clips.jpeg) < 40_000
