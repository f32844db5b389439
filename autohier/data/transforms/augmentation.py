"""Augmentation of frames on the device: crop, mirror and normalize whole batches of bytes.

Legend: B clips, T frames, H W pixels as stored, h w pixels after the crop, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autohier.data.transforms.clip_random import ClipRandom

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Depth clips have a background of exact zeros: with a mean of zero it stays equal to padding.
_DEPTH_MEAN, _DEPTH_STD = (0.0,), (0.25,)


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
    num_clips, num_frames, height, width, channels = clips_BTHWC.shape
    heights = _sample_sides(crop_px, height, min_scale, random)
    widths = _sample_sides(crop_px, width, min_scale, random)
    tops = ((height - heights + 1) * random.uniform()).long()
    lefts = ((width - widths + 1) * random.uniform()).long()
    mirrored = (random.uniform() < 0.5).tolist()
    boxes = torch.stack([tops, tops + heights, lefts, lefts + widths], dim=1).tolist()
    cropped_BThwC = clips_BTHWC.new_empty((num_clips, num_frames, crop_px, crop_px, channels))
    for index, (top, bottom, left, right) in enumerate(boxes):
        clip_ThwC = _resize(clips_BTHWC[index, :, top:bottom, left:right], crop_px)
        cropped_BThwC[index] = clip_ThwC.flip(2) if flip and mirrored[index] else clip_ThwC
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


def normalize(clips_BTHWC: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Scale bytes to [0, 1] and normalize: color by ImageNet's mean and deviation, depth by 0 and 0.25.

    Returns:
        ``dtype`` [B, C, T, H, W] in channels_last_3d memory format: the order of the input, so that no
        element moves.
    """
    is_color = clips_BTHWC.shape[-1] == len(_IMAGENET_MEAN)
    mean = clips_BTHWC.new_tensor(_IMAGENET_MEAN if is_color else _DEPTH_MEAN, dtype=dtype)
    std = clips_BTHWC.new_tensor(_IMAGENET_STD if is_color else _DEPTH_STD, dtype=dtype)
    scaled_BTHWC = clips_BTHWC.to(dtype).div_(255.0).sub_(mean).div_(std)
    return scaled_BTHWC.permute(0, 4, 1, 2, 3)
