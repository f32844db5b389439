"""Pseudo heatmaps of joints and limbs, rendered on the device per batch and never stored.

PoseConv3D (CVPR 2022) eq. (1) and (2): the value of a pixel is the score times exp(-d^2 / 2 sigma^2). Here d
is the distance to the joint or to the limb's segment, and a limb's score is the lower score of its two ends.
The maximum is taken over persons. Differences from PYSKL:

* The center of pixel (column i, row j) is at (i + 0.5, j + 0.5), so that the map of mirrored keypoints is the
  mirrored map. In PYSKL it is at (i, j), which shifts maps by half a pixel and mirrored maps by one.
* A map is zero outside a patch: the joint's position, or the smallest axis-aligned rectangle around the limb,
  extended by 3 sigma on every side. PYSKL's patch begins up to a pixel earlier on the left and above, at
  values of at most 0.011.
* A limb shorter than a pixel is rendered as a segment. PYSKL renders its first end; both agree at length 0.

Legend: B clips, M persons (at least 1), T frames, V joints, L limbs, H W pixels of a map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autohier.data.skeleton import present_joints
from autohier.data.transforms.constants import PATCH_SIGMAS, SIGMA_PX


def joint_heatmaps(
    keypoints_BMTV2: Tensor, scores_BMTV: Tensor, *, width: int, height: int, sigma_px: float = SIGMA_PX
) -> Tensor:
    """Render a map of each joint: the product of a Gaussian along columns and one along rows.

    Costs (H + W) exponentials per joint, person and frame, and one product and one comparison per pixel and
    person. Needs memory for the maps plus M times the maps of one clip.

    Args:
        keypoints_BMTV2: float32 (column, row) in pixels of the map; see `keypoints` for absent joints.
        scores_BMTV: float32 in 0..1.
        width: W.
        height: H.
        sigma_px: standard deviation of the Gaussian.

    Returns:
        float32 [B, V, T, H, W]; zeros for an absent joint.
    """
    places_BMVT2, scores_BMVT = _order_by_map(keypoints_BMTV2, scores_BMTV)
    columns_BMVTW, rows_BMVTH = (
        _gaussians(places_BMVT2[..., axis], length, sigma_px) for axis, length in enumerate((width, height))
    )
    rows_BMVTH = rows_BMVTH * scores_BMVT[..., None]
    maps_BVTHW = places_BMVT2.new_empty((*scores_BMVT[:, 0].shape, height, width))
    # Clip by clip, so that the maps of all persons of a clip stay in the CPU's cache.
    for maps_VTHW, columns_MVTW, rows_MVTH in zip(maps_BVTHW, columns_BMVTW, rows_BMVTH, strict=True):
        torch.amax(rows_MVTH[..., :, None] * columns_MVTW[..., None, :], dim=0, out=maps_VTHW)
    return maps_BVTHW


def limb_heatmaps(
    keypoints_BMTV2: Tensor,
    scores_BMTV: Tensor,
    limbs: Sequence[tuple[int, int]],
    *,
    width: int,
    height: int,
    sigma_px: float = SIGMA_PX,
) -> Tensor:
    """Render a map of each limb, from the distance to the segment between its two joints.

    The distances across and along a segment are sums of a term per column and a term per row. The maximum
    over persons is taken over the exponents. Costs about ten operations per pixel and person, and one
    exponential per pixel. Needs memory for the maps plus 3 M times the maps of one clip.

    Args:
        keypoints_BMTV2: float32 (column, row) in pixels of the map; see `keypoints` for absent joints.
        scores_BMTV: float32 in 0..1.
        limbs: pairs of joints; see `limbs_of`.
        width: W.
        height: H.
        sigma_px: standard deviation of the Gaussian.

    Returns:
        float32 [B, L, T, H, W]; zeros for a limb with an absent end.
    """
    places_BMVT2, scores_BMVT = _order_by_map(keypoints_BMTV2, scores_BMTV)
    starts, ends = ([limb[end] for limb in limbs] for end in (0, 1))
    log_scores_BMLT = torch.minimum(scores_BMVT[:, :, starts], scores_BMVT[:, :, ends]).log()
    # Units in which the exponent is the squared distance.
    unit_px = math.sqrt(2) * sigma_px
    segments = _Segments.between(places_BMVT2[:, :, starts] / unit_px, places_BMVT2[:, :, ends] / unit_px)
    (along_BMLTW, across_BMLTW), (along_BMLTH, across_BMLTH) = (
        segments.terms(
            axis, _pixel_centers(places_BMVT2, length) / unit_px, PATCH_SIGMAS * sigma_px / unit_px
        )
        for axis, length in enumerate((width, height))
    )
    maps_BLTHW = places_BMVT2.new_empty((*log_scores_BMLT[:, 0].shape, height, width))
    for clip, maps_LTHW in enumerate(maps_BLTHW):
        beyond_MLTHW = along_BMLTH[clip, ..., :, None] + along_BMLTW[clip, ..., None, :]
        beyond_MLTHW.abs_().sub_(segments.half_BMLT[clip, ..., None, None]).relu_()
        across_MLTHW = across_BMLTH[clip, ..., :, None] + across_BMLTW[clip, ..., None, :]
        exponents_MLTHW = torch.addcmul(
            log_scores_BMLT[clip, ..., None, None], across_MLTHW, across_MLTHW, value=-1
        ).addcmul_(beyond_MLTHW, beyond_MLTHW, value=-1)
        torch.amax(exponents_MLTHW, dim=0, out=maps_LTHW).exp_()
    return maps_BLTHW


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """Line segments, given by their midpoints, directions and half lengths."""

    middle_BMLT2: Tensor
    direction_BMLT2: Tensor
    half_BMLT: Tensor

    @classmethod
    def between(cls, start_BMLT2: Tensor, end_BMLT2: Tensor) -> _Segments:
        """Return the segments between two positions each; the direction of one of length 0 is arbitrary."""
        span_BMLT2 = end_BMLT2 - start_BMLT2
        length_BMLT1 = torch.hypot(span_BMLT2[..., :1], span_BMLT2[..., 1:])
        direction_BMLT2 = torch.where(
            length_BMLT1 > 0, span_BMLT2 / length_BMLT1, span_BMLT2.new_tensor((1.0, 0.0))
        )
        return cls((start_BMLT2 + end_BMLT2) / 2, direction_BMLT2, length_BMLT1[..., 0] / 2)

    def terms(self, axis: int, centers_N: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        """Return the terms of columns (axis 0) or rows in the coordinates along and across each segment.

        Coordinates are relative to the midpoint. The term across is infinite beyond ``reach`` from the
        segment's bounding rectangle.
        """
        offset_BMLTN = centers_N - self.middle_BMLT2[..., axis, None]
        along_BMLT, other_BMLT = self.direction_BMLT2[..., axis], self.direction_BMLT2[..., 1 - axis]
        normal_BMLT = other_BMLT if axis else -other_BMLT
        farthest_BMLT = along_BMLT.abs() * self.half_BMLT + reach
        across_BMLTN = offset_BMLTN * normal_BMLT[..., None]
        across_BMLTN.masked_fill_(offset_BMLTN.abs() > farthest_BMLT[..., None], math.inf)
        return offset_BMLTN * along_BMLT[..., None], across_BMLTN


def _order_by_map(keypoints_BMTV2: Tensor, scores_BMTV: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions and scores in the order of the maps; both are zero for an absent joint."""
    absent_BMTV = ~present_joints(keypoints_BMTV2, scores_BMTV)
    places_BMTV2 = keypoints_BMTV2.masked_fill(absent_BMTV[..., None], 0.0)
    scores_BMTV = scores_BMTV.masked_fill(absent_BMTV, 0.0)
    return places_BMTV2.transpose(2, 3).contiguous(), scores_BMTV.transpose(2, 3).contiguous()


def _gaussians(places_BMVT: Tensor, length: int, sigma_px: float) -> Tensor:
    """Return Gaussians along one axis, zero outside the patch: [B, M, V, T, length]."""
    offset_BMVTN = _pixel_centers(places_BMVT, length) - places_BMVT[..., None]
    values_BMVTN = torch.exp(offset_BMVTN.square() / (-2 * sigma_px**2))
    return values_BMVTN.masked_fill_(offset_BMVTN.abs() > PATCH_SIGMAS * sigma_px, 0.0)


def _pixel_centers(like: Tensor, length: int) -> Tensor:
    return torch.arange(length, dtype=like.dtype, device=like.device) + 0.5
