"""Augmentation on the device: crop, mirror and normalise whole batches of bytes.

Legend: B clips, T frames, H W pixels as stored, h w pixels after the crop, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Depth clips have a background of exact zeros: with mean zero it stays zero and looks like padding.
_DEPTH_MEAN, _DEPTH_STD = (0.0,), (0.25,)


def random_crop_flip(
    clips_BTHWC: Tensor, *, crop_px: int, flip: bool, generator: torch.Generator, min_scale: float = 1.0
) -> Tensor:
    """Cut a random rectangle from every clip, the same in all its frames, and mirror half of the clips.

    Args:
        clips_BTHWC: uint8.
        crop_px: side of the result.
        flip: whether to mirror; wrong where classes have a side.
        generator: of the CPU, so that every device draws the same.
        min_scale: 1 cuts squares of ``crop_px`` (HAC). Below 1 height and width are drawn apart, from
            ``min_scale * crop_px`` to the whole frame, and brought to ``crop_px``: people of other sizes and
            proportions, for datasets of few subjects.

    Returns:
        uint8 [B, T, h, w, C], contiguous.
    """
    num_clips, num_frames, height, width, channels = clips_BTHWC.shape
    heights = _sides(num_clips, crop_px, height, min_scale, generator)
    widths = _sides(num_clips, crop_px, width, min_scale, generator)
    tops = ((height - heights + 1) * torch.rand(num_clips, generator=generator)).long()
    lefts = ((width - widths + 1) * torch.rand(num_clips, generator=generator)).long()
    mirrored = (torch.rand(num_clips, generator=generator) < 0.5).tolist()
    boxes = torch.stack([tops, tops + heights, lefts, lefts + widths], dim=1).tolist()
    cropped_BThwC = clips_BTHWC.new_empty((num_clips, num_frames, crop_px, crop_px, channels))
    for index, (top, bottom, left, right) in enumerate(boxes):
        clip_ThwC = _resized(clips_BTHWC[index, :, top:bottom, left:right], crop_px)
        cropped_BThwC[index] = clip_ThwC.flip(2) if flip and mirrored[index] else clip_ThwC
    return cropped_BThwC


def _sides(
    num_clips: int, crop_px: int, longest_px: int, min_scale: float, generator: torch.Generator
) -> Tensor:
    shortest_px = max(1, round(min_scale * crop_px))
    if min_scale >= 1:
        longest_px = shortest_px
    return torch.randint(shortest_px, longest_px + 1, (num_clips,), generator=generator)


def _resized(clip_ThwC: Tensor, size_px: int) -> Tensor:
    if clip_ThwC.shape[1:3] == (size_px, size_px):
        return clip_ThwC
    clip_TChw = clip_ThwC.permute(0, 3, 1, 2).float()
    resized_TChw = F.interpolate(clip_TChw, size=(size_px, size_px), mode="bilinear", antialias=True)
    return resized_TChw.round().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def centre_crop(clips_BTHWC: Tensor, *, crop_px: int) -> Tensor:
    """Cut the square in the middle of every frame; a view of [B, T, h, w, C]."""
    top = (clips_BTHWC.shape[2] - crop_px) // 2
    left = (clips_BTHWC.shape[3] - crop_px) // 2
    return clips_BTHWC[:, :, top : top + crop_px, left : left + crop_px]


def normalise(clips_BTHWC: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Bytes to what networks read: ImageNet's mean and deviation for colour, a quarter's for depth.

    Returns:
        ``dtype`` [B, C, T, H, W] in channels_last_3d memory: the bytes' own order, so that nothing is moved.
    """
    colour = clips_BTHWC.shape[-1] == len(_IMAGENET_MEAN)
    mean = clips_BTHWC.new_tensor(_IMAGENET_MEAN if colour else _DEPTH_MEAN, dtype=dtype)
    std = clips_BTHWC.new_tensor(_IMAGENET_STD if colour else _DEPTH_STD, dtype=dtype)
    scaled_BTHWC = clips_BTHWC.to(dtype).div_(255.0).sub_(mean).div_(std)
    return scaled_BTHWC.permute(0, 4, 1, 2, 3)
