"""Augmentation on the device: crop, mirror and normalise whole batches of bytes.

Legend: B clips, T frames, H W pixels as stored, h w pixels after the crop, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Depth clips have a background of exact zeros: with mean zero it stays zero and looks like padding.
_DEPTH_MEAN, _DEPTH_STD = (0.0,), (0.25,)


def random_crop_flip(clips_BTHWC: Tensor, *, crop_px: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Cut a random square from every clip, the same in all its frames, and mirror half of the clips.

    Args:
        clips_BTHWC: uint8.
        crop_px: side of the square.
        flip: whether to mirror; wrong where classes have a side.
        generator: of the CPU, so that every device draws the same.

    Returns:
        uint8 [B, T, h, w, C], contiguous.
    """
    num_clips, num_frames, height, width, channels = clips_BTHWC.shape
    tops = torch.randint(height - crop_px + 1, (num_clips,), generator=generator).tolist()
    lefts = torch.randint(width - crop_px + 1, (num_clips,), generator=generator).tolist()
    mirrored = (torch.rand(num_clips, generator=generator) < 0.5).tolist()
    cropped_BThwC = clips_BTHWC.new_empty((num_clips, num_frames, crop_px, crop_px, channels))
    for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        clip_ThwC = clips_BTHWC[index, :, top : top + crop_px, left : left + crop_px]
        cropped_BThwC[index] = clip_ThwC.flip(2) if flip and mirrored[index] else clip_ThwC
    return cropped_BThwC


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
