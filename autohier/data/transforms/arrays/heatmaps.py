"""Heatmaps of joints and limbs on arrays, as `autohier.data.transforms.tensors.heatmaps` defines them.

Legend: M persons (at least 1), T frames, V joints, L limbs, H W pixels of a square map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import present_joints
from autohier.data.transforms.constants import PATCH_SIGMAS, SIGMA_PX


def joint_heatmaps(
    keypoints_MTV2: NDArray[np.float32], scores_MTV: NDArray[np.float32], *, size_px: int
) -> NDArray[np.float32]:
    """Render a map of each joint of one clip: float32 [V, T, H, W]; zeros for an absent joint."""
    places_MVT2, scores_MVT = _order_by_map(keypoints_MTV2, scores_MTV)
    columns_MVTW, rows_MVTH = (_gaussians(places_MVT2[..., axis], size_px) for axis in (0, 1))
    rows_MVTH *= scores_MVT[..., None]
    total: NDArray[np.float32] = (rows_MVTH[..., :, None] * columns_MVTW[..., None, :]).max(axis=0)
    return total


def limb_heatmaps(
    keypoints_MTV2: NDArray[np.float32],
    scores_MTV: NDArray[np.float32],
    limbs: Sequence[tuple[int, int]],
    *,
    size_px: int,
) -> NDArray[np.float32]:
    """Render a map of each limb of one clip: float32 [L, T, H, W]; zeros for a limb with an absent end."""
    places_MVT2, scores_MVT = _order_by_map(keypoints_MTV2, scores_MTV)
    starts, ends = ([limb[end] for limb in limbs] for end in (0, 1))
    scores_MLT = np.minimum(scores_MVT[:, starts], scores_MVT[:, ends])
    start_MLT2, span_MLT2 = places_MVT2[:, starts], places_MVT2[:, ends] - places_MVT2[:, starts]
    length_MLT = np.hypot(span_MLT2[..., 0], span_MLT2[..., 1])[..., None]
    # The direction of a limb of length 0 is arbitrary.
    direction_MLT2 = np.where(
        length_MLT > 0, span_MLT2 / np.where(length_MLT > 0, length_MLT, 1), np.array([1, 0], np.float32)
    )
    offsets = []
    is_near_MLTHW = np.ones(1, dtype=bool)
    for axis in (0, 1):
        middle_MLT = start_MLT2[..., axis] + span_MLT2[..., axis] / 2
        offset_MLTN = _pixel_centers(size_px) - middle_MLT[..., None]
        reach_MLT1 = np.abs(span_MLT2[..., axis, None]) / 2 + np.float32(PATCH_SIGMAS * SIGMA_PX)
        along_axis = (None, slice(None)) if axis == 0 else (slice(None), None)
        offsets.append(offset_MLTN[(..., *along_axis)])
        is_near_MLTHW = is_near_MLTHW & (np.abs(offset_MLTN) <= reach_MLT1)[(..., *along_axis)]
    (x_MLT1W, y_MLTH1), (u_MLT11, v_MLT11) = offsets, (direction_MLT2[..., a, None, None] for a in (0, 1))
    along_MLTHW, across_MLTHW = x_MLT1W * u_MLT11 + y_MLTH1 * v_MLT11, y_MLTH1 * u_MLT11 - x_MLT1W * v_MLT11
    beyond_MLTHW = np.maximum(np.abs(along_MLTHW) - length_MLT[..., None] / 2, 0)
    exponents_MLTHW = (beyond_MLTHW**2 + across_MLTHW**2) / np.float32(-2 * SIGMA_PX**2)
    maps_MLTHW = scores_MLT[..., None, None] * np.exp(exponents_MLTHW)
    total: NDArray[np.float32] = np.where(is_near_MLTHW, maps_MLTHW, np.float32(0)).max(axis=0)
    return total


def _order_by_map(
    keypoints_MTV2: NDArray[np.float32], scores_MTV: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return positions and scores in the order of the maps; both are zero for an absent joint."""
    present_MTV = present_joints(keypoints_MTV2, scores_MTV)
    places_MTV2 = np.where(present_MTV[..., None], keypoints_MTV2, np.float32(0))
    scores_MTV = np.where(present_MTV, scores_MTV, np.float32(0))
    return places_MTV2.swapaxes(1, 2), scores_MTV.swapaxes(1, 2)


def _gaussians(places_MVT: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """Return Gaussians along one axis, zero outside the patch: [M, V, T, N]."""
    offset_MVTN = _pixel_centers(size_px) - places_MVT[..., None]
    values_MVTN: NDArray[np.float32] = np.exp(offset_MVTN**2 / np.float32(-2 * SIGMA_PX**2))
    values_MVTN[np.abs(offset_MVTN) > np.float32(PATCH_SIGMAS * SIGMA_PX)] = 0
    return values_MVTN


def _pixel_centers(size_px: int) -> NDArray[np.float32]:
    return np.arange(size_px, dtype=np.float32) + np.float32(0.5)
