"""Frames with heatmaps: both show the same place, with one crop and one mirror.

A frame is black but for a white square around a joint, so that the center of mass of the cropped frame must
be that of the joint's map.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.frames_heatmaps import FramesHeatmapsInput
from autohier.data.inputs.shapes import stack_arrays
from autohier.data.skeleton import COCO_17, Skeleton
from autohier.data.transforms.tensors.clip_random import ClipRandom

NUM_CLIPS, STORED_PX, CROP_PX, MAP_PX = 24, 40, 32, 16
BOX, VIDEO, IMAGE = (20, 10, 100, 50), (200, 100), (400, 200)
"""Stored crop in pixels of the video, and sizes of the video and of the image of the joints."""
LEFT_WRIST, RIGHT_WRIST = 9, 10


class PointClips:
    """Clips whose only joint, a left wrist, is the center of a white square in all frames."""

    def __init__(self, *, empty: bool = False) -> None:
        self.empty = empty
        self.clips = SimpleNamespace(label=np.arange(NUM_CLIPS) % 3)
        self.shares_N2 = np.random.default_rng(0).uniform(0.35, 0.65, (NUM_CLIPS, 2))

    def num_kept(self, row: int) -> int:  # noqa: ARG002
        return 3

    def frames(self, row, positions, *, size_px=None):
        side = size_px or STORED_PX
        frames = np.zeros((len(positions), side, side, 3), dtype=np.uint8)
        column, line = np.round(self.shares_N2[row] * side).astype(int)
        frames[:, line - 2 : line + 2, column - 2 : column + 2] = 255
        return frames

    def skeleton(self, row: int) -> Skeleton:
        if self.empty:
            nothing = np.empty((0, 0, 17, 3), np.float32)
            return Skeleton(nothing, nothing[..., :2], *IMAGE, COCO_17.name)
        left, top, right, bottom = BOX
        pixels = np.full((1, 5, 17, 2), np.nan, dtype=np.float32)
        in_video = self.shares_N2[row] * (right - left, bottom - top) + (left, top)
        pixels[..., LEFT_WRIST, :] = in_video * 2  # the image has twice the size of the video
        return Skeleton(np.full((1, 5, 17, 3), np.nan, np.float32), pixels, *IMAGE, COCO_17.name)

    def box_px(self, row: int) -> tuple[int, int, int, int]:  # noqa: ARG002
        return BOX

    def video_size_px(self, row: int) -> tuple[int, int]:  # noqa: ARG002
        return VIDEO


def make(store=None, **changes) -> FramesHeatmapsInput:
    store = store or PointClips()
    frames = {"num_frames": 2, "resize_px": STORED_PX, "crop_px": CROP_PX, "min_scale": 0.8, "flip": True}
    return FramesHeatmapsInput(
        store=store,
        frames=FrameInput(store, 3, **(frames | changes)),
        layout=COCO_17,
        maps="joints",
        num_map_frames=4,
        num_persons=2,
        map_px=MAP_PX,
    )


def read(clip_input: FramesHeatmapsInput, rows=range(NUM_CLIPS)) -> dict[str, torch.Tensor]:
    clips = [clip_input.read_train(row, np.random.default_rng(row)) for row in rows]
    return {name: torch.from_numpy(np.stack([clip[name] for clip in clips])) for name in clips[0]}


def places(images_BHW: torch.Tensor) -> torch.Tensor:
    """Return the center of mass of every image in shares of its width and height."""
    images_BHW = (images_BHW - images_BHW.amin(dim=(1, 2), keepdim=True)).clamp_min(0)
    images_BHW = images_BHW / images_BHW.sum(dim=(1, 2), keepdim=True)
    side = torch.arange(images_BHW.shape[1]) + 0.5
    x_B, y_B = (images_BHW.sum(dim=axis) @ side / len(side) for axis in (1, 2))
    return torch.stack([x_B, y_B], dim=1)


def wrists(maps_BVTHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the map of the wrist that is there, and True for clips where it is the right one."""
    left_BHW, right_BHW = maps_BVTHW[:, LEFT_WRIST, 0], maps_BVTHW[:, RIGHT_WRIST, 0]
    is_right_B = right_BHW.amax(dim=(1, 2)) > left_BHW.amax(dim=(1, 2))
    return torch.where(is_right_B[:, None, None], right_BHW, left_BHW), is_right_B


def test_frames_and_maps_show_the_same_place_after_random_crops_and_mirrors() -> None:
    clip_input = make()
    batch = read(clip_input)
    out = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))
    assert {name: tuple(each.shape[1:]) for name, each in out.items()} == clip_input.clip_shape
    wrist_BHW, is_mirrored_B = wrists(out["heatmaps"])
    # A pixel of the map is 1/16 of the side; rounding of the square and of the crop add half a frame pixel.
    torch.testing.assert_close(places(out["frames"][:, 0, 0]), places(wrist_BHW), atol=0.04, rtol=0)
    assert 0 < is_mirrored_B.sum() < NUM_CLIPS
    # Crops differ between clips: the place is not that of the center crop.
    whole = clip_input.transform_eval(batch)
    assert (places(out["frames"][:, 0, 0]) - places(whole["frames"][:, 0, 0])).abs().max() > 0.1


def test_evaluation_crops_the_center_of_both_and_mirrors_both() -> None:
    store = PointClips()
    clip_input = make(store)
    batch = read(clip_input)
    plain, mirrored = (clip_input.transform_eval(batch, mirrored=each) for each in (False, True))
    expected = (torch.from_numpy(store.shares_N2) * STORED_PX - 4) / CROP_PX
    for out, x_B, is_right in ((plain, expected[:, 0], False), (mirrored, 1 - expected[:, 0], True)):
        wrist_BHW, is_mirrored_B = wrists(out["heatmaps"])
        assert (is_mirrored_B == is_right).all()
        for part_BHW in (wrist_BHW, out["frames"][:, 0, 0]):
            torch.testing.assert_close(
                places(part_BHW).double(), torch.stack([x_B, expected[:, 1]], 1), atol=0.04, rtol=0
            )


def test_without_flip_nothing_is_mirrored() -> None:
    clip_input = make(flip=False)
    out = clip_input.transform_train(read(clip_input), ClipRandom.seeded(0, NUM_CLIPS))
    assert not wrists(out["heatmaps"])[1].any()


def test_frames_are_those_of_the_frame_input_alone() -> None:
    clip_input = make()
    batch = read(clip_input)
    both = clip_input.transform_train(batch, ClipRandom.seeded(0, NUM_CLIPS))["frames"]
    alone = clip_input.frames.transform_train(batch["frames"], ClipRandom.seeded(0, NUM_CLIPS))
    assert torch.equal(both, alone)


def test_clips_without_people_have_empty_maps() -> None:
    clip_input = make(PointClips(empty=True))
    out = clip_input.transform_eval(read(clip_input))
    assert not out["heatmaps"].any()
    assert out["frames"].isfinite().all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("empty", [False, True])
def test_arrays_of_evaluation_equal_the_tensors(mirrored, empty):
    clip_input = make(PointClips(empty=empty))
    arrays = stack_arrays([clip_input.read_eval(row, 0, 2) for row in range(5)])
    expected = clip_input.transform_eval(
        {name: torch.from_numpy(each) for name, each in arrays.items()}, mirrored=mirrored
    )
    found = clip_input.eval_arrays(arrays, mirrored=mirrored)
    assert list(found) == list(expected) == ["frames", "heatmaps"]
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-4, atol=1e-5)


def test_training_drops_joints_of_the_heatmaps_alone():
    clip_input = make()
    dropping = replace(clip_input, frame_joint_drop=1.0)
    rows = range(NUM_CLIPS)
    read, dropped = (
        [each.read_train(row, np.random.default_rng(row)) for row in rows] for each in (clip_input, dropping)
    )
    np.testing.assert_array_equal([clip["frames"] for clip in read], [clip["frames"] for clip in dropped])
    scores = np.array([clip["heatmaps"][0, :, LEFT_WRIST, 2] for clip in dropped])
    assert np.array([clip["heatmaps"][0, :, LEFT_WRIST, 2] for clip in read]).all()
    # The only joint is lost in one of 17 frames; 96 frames are read.
    assert 0 < (scores == 0).sum() < 20
