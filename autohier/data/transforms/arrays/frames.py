"""Crop and normalization of frames on arrays; see `autohier.data.transforms.tensors.augmentation`.

Legend: B clips, T frames, H W pixels, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.data.transforms.constants import PixelScale, color_statistics


def center_crop(clips_BTHWC: NDArray[np.uint8], *, crop_px: int) -> NDArray[np.uint8]:
    """Crop the square in the middle of every frame; returns a view [B, T, h, w, C]."""
    top, left = center_corner(clips_BTHWC.shape[2], clips_BTHWC.shape[3], crop_px=crop_px)
    return clips_BTHWC[:, :, top : top + crop_px, left : left + crop_px]


def center_corner(height: int, width: int, *, crop_px: int) -> tuple[int, int]:
    """Return the upper left corner, row and column, of the square in the middle of a frame."""
    return (height - crop_px) // 2, (width - crop_px) // 2


def normalize(clips_BTHWC: NDArray[np.uint8], *, scale: PixelScale = "statistics") -> NDArray[np.float32]:
    """Scale bytes to [0, 1] and normalize by mean and deviation: float32 [B, C, T, H, W]."""
    mean, std = (np.array(each, dtype=np.float32) for each in color_statistics(clips_BTHWC.shape[-1], scale))
    scaled_BTHWC = clips_BTHWC.astype(np.float32)
    scaled_BTHWC /= np.float32(255)
    scaled_BTHWC -= mean
    scaled_BTHWC /= std
    return np.ascontiguousarray(scaled_BTHWC.transpose(0, 4, 1, 2, 3))
