"""Keypoints on the device: the box of a clip's people, and augmentation as arithmetic on boxes.

PoseConv3D (CVPR 2022, section 3.2) crops and resizes images of the size of a heatmap. Drawing a heatmap from
keypoints that were moved gives the same without touching a pixel, so keypoints are mapped once, from the
image into the box that the augmentation chose.

A joint is absent where its place is not finite or is (0, 0), as files write for people whom a frame does not
show, or where its score is not above 0.

Legend: B clips, M persons (at least 1), T frames, V joints, A attempts. A box is (left, top, right, bottom)
in pixels of the image and may reach outside it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autohier.data.preprocessing.skeletons import mirrored_joints
from autohier.data.skeleton import JointLayout

_ATTEMPTS = 10
_PADDING = 0.25


def present(keypoints_BMTV2: Tensor, scores_BMTV: Tensor) -> Tensor:
    """Which joints are there: bool [B, M, T, V]."""
    is_place = keypoints_BMTV2.isfinite().all(dim=-1) & (keypoints_BMTV2 != 0).any(dim=-1)
    return is_place & (scores_BMTV > 0)


def compact_boxes(
    keypoints_BMTV2: Tensor,
    scores_BMTV: Tensor,
    image_sizes_B2: Tensor,
    *,
    padding: float = _PADDING,
    min_side_px: float = 10.0,
) -> Tensor:
    """One square around all joints of all persons and frames (the paper's subjects-centred cropping).

    The square has the larger of the joints' two extents as its side, widened by ``padding`` in all, and their
    centre. PYSKL cuts its corners to whole pixels; here they stay where they are.

    Args:
        keypoints_BMTV2: in pixels; the paper takes the frames that were sampled.
        scores_BMTV: confidences in 0..1.
        image_sizes_B2: width and height of each clip's image in pixels.
        padding: share of the side that is added to it.
        min_side_px: a clip whose joints extend less than this in width or height, or that has none, is left
            as it is: its box is the whole image.

    Returns:
        float32 [B, 4].
    """
    absent_BMTV1 = ~present(keypoints_BMTV2, scores_BMTV)[..., None]
    low_B2 = keypoints_BMTV2.masked_fill(absent_BMTV1, math.inf).amin(dim=(1, 2, 3))
    high_B2 = keypoints_BMTV2.masked_fill(absent_BMTV1, -math.inf).amax(dim=(1, 2, 3))
    extent_B2 = high_B2 - low_B2
    centre_B2 = (low_B2 + high_B2) / 2
    half_B1 = extent_B2.amax(dim=1, keepdim=True) * (1 + padding) / 2
    boxes_B4 = torch.cat([centre_B2 - half_B1, centre_B2 + half_B1], dim=1)
    images_B4 = torch.cat([torch.zeros_like(image_sizes_B2), image_sizes_B2], dim=1)
    return torch.where((extent_B2 < min_side_px).any(dim=1, keepdim=True), images_B4, boxes_B4)


def middle_boxes(boxes_B4: Tensor, *, min_area: float) -> Tensor:
    """The middle of each box, in which people come in the size that a network trains on.

    Its area is half-way between the least and the greatest that `random_boxes` takes. Of 56 px at PYSKL's
    0.56, that is as if a whole box were 63.4; PYSKL itself tests on whole boxes of 64 px. No joint is cut: a
    side is at least that of the joints in a box of `compact_boxes`.

    Args:
        boxes_B4: of `compact_boxes`.
        min_area: as `random_boxes` is given.

    Returns:
        float32 [B, 4].
    """
    side = max(math.sqrt((1 + min_area) / 2), 1 / (1 + _PADDING))
    centre_B2 = (boxes_B4[:, :2] + boxes_B4[:, 2:]) / 2
    half_B2 = (boxes_B4[:, 2:] - boxes_B4[:, :2]) * side / 2
    return torch.cat([centre_B2 - half_B2, centre_B2 + half_B2], dim=1)


def random_boxes(
    boxes_B4: Tensor,
    *,
    generator: torch.Generator,
    min_area: float = 0.56,
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """A random rectangle within each box (Inception's random resized crop, as PYSKL sets it).

    The share of the area is uniform and width over height log-uniform; what does not fit is drawn again, ten
    times at most, and then the box is taken whole. PYSKL rounds to 64ths of the box; nothing is rounded here.

    Args:
        boxes_B4: on any device.
        generator: of the CPU, so that every device draws the same.
        min_area: least share of the box; the greatest is all of it.
        aspect: least and greatest width over height, in widths and heights of the box.

    Returns:
        float32 [B, 4].
    """
    num_clips = len(boxes_B4)
    draws_2BA = torch.rand(2, num_clips, _ATTEMPTS, generator=generator)
    share_BA = min_area + (1 - min_area) * draws_2BA[0]
    ratio_BA = aspect[0] * (aspect[1] / aspect[0]) ** draws_2BA[1]
    sides_BA2 = torch.stack([share_BA * ratio_BA, share_BA / ratio_BA], dim=-1).sqrt()
    sides_BA2 = torch.cat([sides_BA2, torch.ones(num_clips, 1, 2)], dim=1)
    first_fit_B = (sides_BA2 <= 1).all(dim=-1).int().argmax(dim=1)
    sides_B2 = sides_BA2[torch.arange(num_clips), first_fit_B]
    corner_B2 = torch.rand(num_clips, 2, generator=generator) * (1 - sides_B2)
    shares_B4 = torch.cat([corner_B2, corner_B2 + sides_B2], dim=1).to(boxes_B4.device)
    sides_B2 = boxes_B4[:, 2:] - boxes_B4[:, :2]
    return boxes_B4[:, :2].repeat(1, 2) + shares_B4 * sides_B2.repeat(1, 2)


def map_into_boxes(keypoints_BMTV2: Tensor, boxes_B4: Tensor, *, width: int, height: int) -> Tensor:
    """Keypoints in pixels of a map of the box: the box's corners lie at (0, 0) and (width, height).

    A box of another shape than the map's is stretched. What is absent becomes NaN, since (0, 0) moves.
    """
    scale_B2 = boxes_B4.new_tensor((width, height)) / (boxes_B4[:, 2:] - boxes_B4[:, :2])
    moved_BMTV2 = keypoints_BMTV2 - boxes_B4[:, None, None, None, :2]
    mapped_BMTV2 = moved_BMTV2 * scale_B2[:, None, None, None]
    return mapped_BMTV2.masked_fill((keypoints_BMTV2 == 0).all(dim=-1, keepdim=True), math.nan)


def mirror(
    keypoints_BMTV2: Tensor, scores_BMTV: Tensor, mirrored_B: Tensor, *, layout: JointLayout, width: int
) -> tuple[Tensor, Tensor]:
    """Mirror the clips of a mask at the middle column, left joints becoming right ones.

    Their heatmaps come out mirrored, map by map with that of the other side: of joints as of limbs.

    Args:
        keypoints_BMTV2: in pixels of a map ``width`` wide, NaN where absent.
        scores_BMTV: go with their joints.
        mirrored_B: bool, on the same device.
        layout: of the joints.
        width: of the map.
    """
    joints = torch.from_numpy(mirrored_joints(layout)).to(keypoints_BMTV2.device)
    columns, rows = keypoints_BMTV2[..., joints, :].unbind(dim=-1)
    other_BMTV2 = torch.stack([width - columns, rows], dim=-1)
    mask_B111 = mirrored_B[:, None, None, None]
    return (
        torch.where(mask_B111[..., None], other_BMTV2, keypoints_BMTV2),
        torch.where(mask_B111, scores_BMTV[..., joints], scores_BMTV),
    )


def random_crop_mirror(
    keypoints_BMTV2: Tensor,
    scores_BMTV: Tensor,
    boxes_B4: Tensor,
    *,
    layout: JointLayout,
    width: int,
    height: int,
    flip: bool,
    generator: torch.Generator,
    min_area: float = 0.56,
) -> tuple[Tensor, Tensor]:
    """Map keypoints into a random part of their clip's box, and mirror half of the clips.

    Args:
        keypoints_BMTV2: in pixels of the image.
        scores_BMTV: confidences in 0..1.
        boxes_B4: of `compact_boxes`.
        layout: of the joints.
        width: of the heatmaps, 56 in the paper.
        height: of the heatmaps.
        flip: whether to mirror; wrong where classes have a side. It changes no other draw.
        generator: of the CPU, so that every device draws the same.
        min_area: the part's least share of the box.

    Returns:
        Keypoints in pixels of the heatmaps, NaN where absent, and scores, for `heatmaps`.
    """
    parts_B4 = random_boxes(boxes_B4, generator=generator, min_area=min_area)
    mirrored_B = (torch.rand(len(boxes_B4), generator=generator) < 0.5).to(boxes_B4.device)
    mapped_BMTV2 = map_into_boxes(keypoints_BMTV2, parts_B4, width=width, height=height)
    if not flip:
        return mapped_BMTV2, scores_BMTV
    return mirror(mapped_BMTV2, scores_BMTV, mirrored_B, layout=layout, width=width)
