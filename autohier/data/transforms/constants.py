"""Numbers of the transforms, which those on tensors and those on arrays share."""

from __future__ import annotations

import math
from typing import Final, Literal

PixelScale = Literal["statistics", "symmetric"]
"""Scale of normalized pixels: by mean and deviation, or from -1 to 1."""

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
# Depth clips have a background of exact zeros: with a mean of zero it stays equal to padding.
DEPTH_MEAN: Final = (0.0,)
DEPTH_STD: Final = (0.25,)
SIGMA_PX: Final = 0.6
"""Standard deviation of a heatmap's Gaussians, in pixels of the map (PoseConv3D)."""
PATCH_SIGMAS: Final = 3.0
"""Distance in standard deviations beyond which a heatmap is zero."""
PADDING: Final = 0.25
"""Share of its side by which the box around the joints is enlarged (PoseConv3D)."""
MIN_SIDE_PX: Final = 10.0
"""Smallest width and height of the joints that make a box of their own."""


def color_statistics(
    channels: int, scale: PixelScale = "statistics"
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what is subtracted from frames in 0..1 by channel, and what divides them then.

    Args:
        channels: of a frame.
        scale: "statistics" returns ImageNet's mean and deviation for color, or those of depth; "symmetric"
            scales to -1..1.
    """
    if scale == "symmetric":
        return (0.5,) * channels, (0.5,) * channels
    return (IMAGENET_MEAN, IMAGENET_STD) if channels == len(IMAGENET_MEAN) else (DEPTH_MEAN, DEPTH_STD)


def center_side(min_area: float) -> float:
    """Return the side of the box that evaluation renders, as a share of the box around the people.

    The area is halfway between the smallest and the largest area of training's random boxes, so that people
    appear at their mean size. No joint is cut off: the side is never shorter than that of the joints.

    Args:
        min_area: smallest area of a random box, as a share of the whole one.
    """
    return max(math.sqrt((1 + min_area) / 2), 1 / (1 + PADDING))
