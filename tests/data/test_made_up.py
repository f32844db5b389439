"""Made-up frames: a store's shapes, and JPEGs of a usual size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autohier.data.batches import ClipBatches
from autohier.data.made_up import MadeUpClips


@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_read_as_a_store_is(channels: int) -> None:
    clips = MadeUpClips.of(5, num_classes=3, size_px=64, channels=channels)
    batches = ClipBatches(
        clips, np.arange(5), batch_size=5, num_frames=4, resize_px=32, device=torch.device("cpu")
    )
    (batch,) = batches.evaluation_set(0, 1)
    assert batch.clips_BTHWC.shape == (5, 4, 32, 32, channels)
    assert batch.clips_BTHWC.dtype == torch.uint8
    assert batch.labels_B.tolist() == [0, 1, 2, 0, 1]
    assert clips.frames(0, [0, 0]).shape == (2, 64, 64, channels)


def test_a_frame_costs_what_a_real_one_does_to_decode() -> None:
    # A photograph of 256 x 256 pixels at quality 90 takes some 15 to 40 kB.
    assert 15_000 < len(MadeUpClips.of(1, num_classes=1, size_px=256, channels=3).jpeg) < 40_000
