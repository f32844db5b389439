"""Keypoints on the device: boxes around the people of a clip, and augmentation as arithmetic on boxes.

PoseConv3D (CVPR 2022, section 3.2) crops and resizes images of a heatmap's size. Rendering a heatmap from
moved keypoints gives the same result without resampling, so keypoints are mapped once, from the image into
the box that the augmentation has sampled.

Absent joints are those of `present_joints`.

Legend: B clips, M persons (at least 1), T frames, V joints, A attempts. A box is (left, top, right, bottom)
in pixels of the image and may extend beyond the image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import present_joints
from autohier.data.transforms.constants import MIN_SIDE_PX, PADDING, center_side
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.clip_random import ClipRandom

_ATTEMPTS = 10


def compact_boxes(
    keypoints_BMTV2: Tensor,
    scores_BMTV: Tensor,
    image_sizes_B2: Tensor,
    *,
    padding: float = PADDING,
    min_side_px: float = MIN_SIDE_PX,
) -> Tensor:
    """Return one square around all joints of all persons and frames (the paper's subject-centered crop).

    The square is centered on the joints' bounding rectangle. Its side is the longer side of the rectangle,
    enlarged by ``padding``. PYSKL rounds its corners to whole pixels; here they are not rounded.

    Args:
        keypoints_BMTV2: keypoints in pixels; the paper uses the sampled frames.
        scores_BMTV: confidences in 0..1.
        image_sizes_B2: width and height of each clip's image in pixels.
        padding: share of the side that is added to it.
        min_side_px: smallest width and height of the bounding rectangle. A clip below it, or without
            joints, gets the whole image as its box.

    Returns:
        float32 [B, 4].
    """
    absent_BMTV1 = ~present_joints(keypoints_BMTV2, scores_BMTV)[..., None]
    low_B2 = keypoints_BMTV2.masked_fill(absent_BMTV1, math.inf).amin(dim=(1, 2, 3))
    high_B2 = keypoints_BMTV2.masked_fill(absent_BMTV1, -math.inf).amax(dim=(1, 2, 3))
    extent_B2 = high_B2 - low_B2
    center_B2 = (low_B2 + high_B2) / 2
    half_B1 = extent_B2.amax(dim=1, keepdim=True) * (1 + padding) / 2
    boxes_B4 = torch.cat([center_B2 - half_B1, center_B2 + half_B1], dim=1)
    images_B4 = torch.cat([torch.zeros_like(image_sizes_B2), image_sizes_B2], dim=1)
    return torch.where((extent_B2 < min_side_px).any(dim=1, keepdim=True), images_B4, boxes_B4)


def center_boxes(boxes_B4: Tensor, *, min_area: float) -> Tensor:
    """Return the middle of each box, for evaluation: people appear at the mean size of the training crops.

    The area is halfway between the smallest and the largest area of `random_boxes`. At 56 px and PYSKL's
    0.56, this is the scale of a whole box rendered at 63.4 px; PYSKL itself tests on whole boxes of 64 px.
    No joint is cut off: a side is never shorter than that of the joints in a box of `compact_boxes`.

    Args:
        boxes_B4: result of `compact_boxes`.
        min_area: the value passed to `random_boxes`.

    Returns:
        float32 [B, 4].
    """
    side = center_side(min_area)
    center_B2 = (boxes_B4[:, :2] + boxes_B4[:, 2:]) / 2
    half_B2 = (boxes_B4[:, 2:] - boxes_B4[:, :2]) * side / 2
    return torch.cat([center_B2 - half_B2, center_B2 + half_B2], dim=1)


def random_boxes(
    boxes_B4: Tensor,
    *,
    random: ClipRandom,
    min_area: float = 0.56,
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Sample a rectangle within each box (Inception's random resized crop, with PYSKL's parameters).

    The share of the area is uniform and the aspect ratio log-uniform. A rectangle that does not fit is
    sampled again, at most ten times; after that the whole box is used. PYSKL rounds to 64ths of the box;
    nothing is rounded here.

    Args:
        boxes_B4: boxes on any device.
        random: samples the rectangles.
        min_area: smallest share of the box's area; the largest is 1.
        aspect: smallest and largest width over height, relative to the box.

    Returns:
        float32 [B, 4].
    """
    num_clips = len(boxes_B4)
    draws_2BA = random.uniform_sets(2, _ATTEMPTS)
    share_BA = min_area + (1 - min_area) * draws_2BA[0]
    ratio_BA = aspect[0] * (aspect[1] / aspect[0]) ** draws_2BA[1]
    sides_BA2 = torch.stack([share_BA * ratio_BA, share_BA / ratio_BA], dim=-1).sqrt()
    sides_BA2 = torch.cat([sides_BA2, torch.ones(num_clips, 1, 2)], dim=1)
    first_fit_B = (sides_BA2 <= 1).all(dim=-1).int().argmax(dim=1)
    sides_B2 = sides_BA2[torch.arange(num_clips), first_fit_B]
    corner_B2 = random.uniform(2) * (1 - sides_B2)
    shares_B4 = torch.cat([corner_B2, corner_B2 + sides_B2], dim=1).to(boxes_B4.device)
    sides_B2 = boxes_B4[:, 2:] - boxes_B4[:, :2]
    return boxes_B4[:, :2].repeat(1, 2) + shares_B4 * sides_B2.repeat(1, 2)


def map_into_boxes(keypoints_BMTV2: Tensor, boxes_B4: Tensor, *, width: int, height: int) -> Tensor:
    """Map keypoints from the image into a map of the box, whose corners become (0, 0) and (width, height).

    A box of another aspect ratio than the map's is stretched. Absent joints become NaN, because (0, 0) moves.
    """
    scale_B2 = boxes_B4.new_tensor((width, height)) / (boxes_B4[:, 2:] - boxes_B4[:, :2])
    moved_BMTV2 = keypoints_BMTV2 - boxes_B4[:, None, None, None, :2]
    mapped_BMTV2 = moved_BMTV2 * scale_B2[:, None, None, None]
    return mapped_BMTV2.masked_fill(~present_joints(keypoints_BMTV2)[..., None], math.nan)


def mirror(
    keypoints_BMTV2: Tensor, scores_BMTV: Tensor, mirrored_B: Tensor, *, layout: JointLayout, width: int
) -> tuple[Tensor, Tensor]:
    """Mirror the masked clips at the middle column and swap left and right joints.

    Their heatmaps are mirrored and swapped with those of the other side, for joints and limbs.

    Args:
        keypoints_BMTV2: keypoints in pixels of a map of ``width``; NaN for an absent joint.
        scores_BMTV: scores of the joints.
        mirrored_B: bool mask on the same device.
        layout: layout of the joints.
        width: width of the map in pixels.
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
    random: ClipRandom,
    min_area: float = 0.56,
) -> tuple[Tensor, Tensor]:
    """Map keypoints into a random part of their clip's box, and mirror half of the clips.

    Args:
        keypoints_BMTV2: keypoints in pixels of the image.
        scores_BMTV: confidences in 0..1.
        boxes_B4: result of `compact_boxes`.
        layout: layout of the joints.
        width: width of the heatmaps, 56 in the paper.
        height: height of the heatmaps.
        flip: True mirrors; use False if left and right distinguish classes. The crops do not depend on it.
        random: samples the rectangles and the mirrored clips.
        min_area: smallest share of the box's area.

    Returns:
        Keypoints in pixels of the heatmaps, NaN for an absent joint, and scores.
    """
    parts_B4 = random_boxes(boxes_B4, random=random, min_area=min_area)
    mirrored_B = (random.uniform() < 0.5).to(boxes_B4.device)
    mapped_BMTV2 = map_into_boxes(keypoints_BMTV2, parts_B4, width=width, height=height)
    if not flip:
        return mapped_BMTV2, scores_BMTV
    return mirror(mapped_BMTV2, scores_BMTV, mirrored_B, layout=layout, width=width)
