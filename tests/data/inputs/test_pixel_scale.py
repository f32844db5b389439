"""The scale of pixels holds for every input with pictures, in training, evaluation and without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autohier.config.search.loading import load_space
from autohier.core.stages.builders import open_clip_input
from autohier.core.stages.clip_readings import open_reading
from autohier.data.inputs.shapes import stack_arrays
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.tensors.clip_random import ClipRandom
from support.sources.tiny_clips import OVERRIDES, SPACE_FILE

PICTURES = {
    "frames": ("frames",),
    "frames+heatmaps": ("frames",),
    "frames+skeletons": ("frames",),
    "parts+skeletons": ("left_hand",),
}
GREY = 51
"""A fifth of the largest byte."""
SCALED = {
    "symmetric": (-0.6,) * 3,
    "statistics": tuple((0.2 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))),
}


@pytest.mark.parametrize("scale", SCALED)
@pytest.mark.parametrize("clip_input", PICTURES)
def test_pixels_are_scaled_as_the_setting_says(tiny_clips: ClipStore, clip_input: str, scale: str) -> None:
    settings = load_space(str(SPACE_FILE), [*OVERRIDES[clip_input], f"clips.pixel_scale={scale}"]).clips
    opened = open_clip_input(settings, tiny_clips, tiny_clips.manifest)
    reading = open_reading(settings, tiny_clips, tiny_clips.manifest)
    read: Any = stack_arrays([opened.read_eval(row, 0, 1) for row in range(2)])
    by_name = read if isinstance(read, dict) else {"frames": read}
    grey = {
        name: np.full_like(each, GREY) if each.dtype == np.uint8 else each for name, each in by_name.items()
    }
    clips: Any = grey if isinstance(read, dict) else grey["frames"]
    tensors: Any = (
        {name: torch.from_numpy(each) for name, each in grey.items()}
        if isinstance(read, dict)
        else torch.from_numpy(clips)
    )
    results: list[Any] = [
        opened.transform_train(tensors, ClipRandom.seeded(0, 2)),
        opened.transform_eval(tensors),
        opened.transform_eval(tensors, mirrored=True),
        reading.eval_arrays(clips),
    ]
    for result in results:
        for name in PICTURES[clip_input]:
            pixels = np.asarray(result[name] if isinstance(result, dict) else result)
            expected = np.array(SCALED[scale]).reshape(3, 1, 1, 1)
            np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), rtol=1e-5)
