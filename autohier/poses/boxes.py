"""Boxes of persons: their overlap, and one box where a detector finds several.

Legend: N boxes, four coordinates each: x and y of the first corner and of the last one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def overlaps(box_4: NDArray[np.floating], boxes_N4: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the intersection over union of a box with each of some boxes [N]."""
    first = np.maximum(box_4[:2], boxes_N4[:, :2])
    last = np.minimum(box_4[2:], boxes_N4[:, 2:])
    common_N = np.clip(last - first, 0, None).prod(axis=1)
    area = np.clip(box_4[2:] - box_4[:2], 0, None).prod()
    areas_N = np.clip(boxes_N4[:, 2:] - boxes_N4[:, :2], 0, None).prod(axis=1)
    shares: NDArray[np.float64] = common_N / np.maximum(area + areas_N - common_N, 1e-9)
    return shares


def keep_best(
    boxes_N4: NDArray[np.floating], scores_N: NDArray[np.floating], *, min_score: float, max_overlap: float
) -> list[int]:
    """Return the indices of the boxes that are kept, best first: none overlaps a better one too much.

    Args:
        boxes_N4: boxes.
        scores_N: their scores.
        min_score: lowest score of a box that is kept.
        max_overlap: intersection over union beyond which the worse box is left out.
    """
    left = [int(index) for index in np.argsort(-scores_N, kind="stable") if scores_N[index] >= min_score]
    kept: list[int] = []
    while left:
        best, *others = left
        kept.append(best)
        shares = overlaps(boxes_N4[best], boxes_N4[others]) if others else np.zeros(0)
        left = [index for index, share in zip(others, shares, strict=True) if share <= max_overlap]
    return kept
