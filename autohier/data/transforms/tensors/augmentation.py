"""Augmentation of frames on the device: crop, mirror and normalize whole batches of bytes.

Legend: B clips, T frames, H W pixels as stored, h w pixels after the crop, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autohier.data.transforms.constants import PixelScale, color_statistics
from autohier.data.transforms.tensors.clip_random import ClipRandom


def random_crop_flip(
    clips_BTHWC: Tensor, *, crop_px: int, flip: bool, random: ClipRandom, min_scale: float = 1.0
) -> Tensor:
    """Crop a random rectangle of every clip, the same in all its frames, and mirror half of the clips.

    Args:
        clips_BTHWC: uint8.
        crop_px: side of the result.
        flip: True mirrors; use False if left and right distinguish classes.
        random: samples the crops.
        min_scale: 1 crops squares of ``crop_px`` (HAC). Below 1, height and width are sampled independently
            from ``min_scale * crop_px`` to the whole frame and resized to ``crop_px``. This varies the size
            and proportions of people, for datasets of few subjects.

    Returns:
        uint8 [B, T, h, w, C], contiguous.
    """
    crops = sample_crops(
        tuple(clips_BTHWC.shape[2:4]), crop_px=crop_px, flip=flip, random=random, min_scale=min_scale
    )
    return crop_flip(clips_BTHWC, crops, crop_px=crop_px)


@dataclass(frozen=True, slots=True)
class Crops:
    """Rectangle of every clip that is kept, and the clips that are mirrored."""

    boxes_B4: Tensor
    """int64: left, top, right, bottom in pixels."""
    mirrored_B: Tensor
    """bool."""


def sample_crops(
    size_px: tuple[int, ...], *, crop_px: int, flip: bool, random: ClipRandom, min_scale: float = 1.0
) -> Crops:
    """Sample the crops of `random_crop_flip`; the rectangles do not depend on ``flip``.

    Args:
        size_px: height and width of the frames.
        crop_px: see `random_crop_flip`.
        flip: see `random_crop_flip`.
        random: see `random_crop_flip`.
        min_scale: see `random_crop_flip`.
    """
    height, width = size_px
    heights = _sample_sides(crop_px, height, min_scale, random)
    widths = _sample_sides(crop_px, width, min_scale, random)
    tops = ((height - heights + 1) * random.uniform()).long()
    lefts = ((width - widths + 1) * random.uniform()).long()
    mirrored = random.uniform() < 0.5
    boxes = torch.stack([lefts, tops, lefts + widths, tops + heights], dim=1)
    return Crops(boxes, mirrored if flip else torch.zeros_like(mirrored))


def center_crops(size_px: tuple[int, int], num_clips: int, *, crop_px: int, mirrored: bool) -> Crops:
    """Return the square in the middle of the frames, for every clip."""
    height, width = size_px
    top, left = (height - crop_px) // 2, (width - crop_px) // 2
    box = torch.tensor([left, top, left + crop_px, top + crop_px])
    return Crops(box.repeat(num_clips, 1), torch.full((num_clips,), mirrored))


def crop_flip(clips_BTHWC: Tensor, crops: Crops, *, crop_px: int) -> Tensor:
    """Crop every clip to its rectangle, resize it to squares, and mirror it: uint8 [B, T, h, w, C]."""
    num_clips, num_frames, _, _, channels = clips_BTHWC.shape
    mirrored = crops.mirrored_B.tolist()
    cropped_BThwC = clips_BTHWC.new_empty((num_clips, num_frames, crop_px, crop_px, channels))
    for index, (left, top, right, bottom) in enumerate(crops.boxes_B4.tolist()):
        clip_ThwC = _resize(clips_BTHWC[index, :, top:bottom, left:right], crop_px)
        cropped_BThwC[index] = clip_ThwC.flip(2) if mirrored[index] else clip_ThwC
    return cropped_BThwC


def _sample_sides(crop_px: int, longest_px: int, min_scale: float, random: ClipRandom) -> Tensor:
    shortest_px = max(1, round(min_scale * crop_px))
    if min_scale >= 1:
        longest_px = shortest_px
    return random.integers(shortest_px, longest_px + 1)


def _resize(clip_ThwC: Tensor, size_px: int) -> Tensor:
    if clip_ThwC.shape[1:3] == (size_px, size_px):
        return clip_ThwC
    clip_TChw = clip_ThwC.permute(0, 3, 1, 2).float()
    resized_TChw = F.interpolate(clip_TChw, size=(size_px, size_px), mode="bilinear", antialias=True)
    return resized_TChw.round().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def center_crop(clips_BTHWC: Tensor, *, crop_px: int) -> Tensor:
    """Crop the square in the middle of every frame; returns a view [B, T, h, w, C]."""
    top = (clips_BTHWC.shape[2] - crop_px) // 2
    left = (clips_BTHWC.shape[3] - crop_px) // 2
    return clips_BTHWC[:, :, top : top + crop_px, left : left + crop_px]


def normalize(
    clips_BTHWC: Tensor, *, dtype: torch.dtype = torch.float32, scale: PixelScale = "statistics"
) -> Tensor:
    """Scale bytes to [0, 1] and normalize: color by ImageNet's mean and deviation, depth by 0 and 0.25.

    With the scale "symmetric", both go from -1 to 1.

    Returns:
        ``dtype`` [B, C, T, H, W] in channels_last_3d memory format: the order of the input, so that no
        element moves.
    """
    mean, std = (
        clips_BTHWC.new_tensor(each, dtype=dtype) for each in color_statistics(clips_BTHWC.shape[-1], scale)
    )
    scaled_BTHWC = clips_BTHWC.to(dtype).div_(255.0).sub_(mean).div_(std)
    return scaled_BTHWC.permute(0, 4, 1, 2, 3)
