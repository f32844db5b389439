"""Joint graphs: the neighbors that each partition of a spatial graph convolution gathers from.

A partition is a matrix whose entry (v, w) is the weight with which joint w gathers from joint v. Columns are
normalized to sum to one, over all partitions or within each: A D^-1. Those by distance are symmetric.

Legend: P partitions, V joints gathered from, W joints gathered to.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import resolve_layout


def find_layout(layout: str | Mapping[str, object]) -> JointLayout:
    """Return the joint layout that a recognizer's option ``layout`` names or describes.

    Raises:
        InputError: if there is none.
    """
    return resolve_layout(layout)


def hops_from_centre(layout: JointLayout) -> NDArray[np.int64]:
    """Return the number of bones between each joint ``[V]`` and the center."""
    hops = np.full(layout.num_joints, -1, dtype=np.int64)
    hops[layout.graph_centre] = 0
    for reached in range(layout.num_joints):
        for one, other in (*layout.edges, *((parent, child) for child, parent in layout.edges)):
            if hops[one] == reached and hops[other] < 0:
                hops[other] = reached + 1
    return hops


def hops_between(layout: JointLayout) -> NDArray[np.int64]:
    """Return the number of bones between each two joints, ``[V, V]``."""
    linked = np.eye(layout.num_joints, dtype=np.int64)
    for child, parent in layout.edges:
        linked[child, parent] = linked[parent, child] = 1
    hops = np.zeros_like(linked)
    reached = np.eye(layout.num_joints, dtype=np.int64)
    for _ in range(layout.num_joints):
        hops += reached == 0
        reached = (reached @ linked > 0).astype(np.int64)
    return hops


def hops_in_window(layout: JointLayout, num_frames: int) -> NDArray[np.int64]:
    """Return the hops between the joints of consecutive frames, ``[T V, T V]``, frame by frame.

    A joint is linked to its neighbors and to itself in all other frames of the window, and to its neighbors
    there (MS-G3D, Liu et al. 2020, eq. 5).
    """
    hops = hops_between(layout)
    across = np.maximum(hops, 1)
    return np.block(
        [[hops if one == other else across for other in range(num_frames)] for one in range(num_frames)]
    )


def hop_partitions(hops: NDArray[np.int64], num_scales: int) -> NDArray[np.float32]:
    """Return partitions ``[P, V, W]`` by distance: in partition k, joints at k hops and the joint itself.

    They are the disentangled k-adjacencies of MS-G3D (Liu et al. 2020, eq. 3), normalized to
    D^-1/2 A D^-1/2. A partition without joints at its distance holds the joint itself.

    Args:
        hops: hops between each two joints, ``[V, V]``.
        num_scales: P.
    """
    itself = np.eye(len(hops), dtype=np.float32)
    partitions = np.stack([itself + (hops == scale) * (scale > 0) for scale in range(num_scales)])
    roots = np.sqrt(partitions.sum(axis=2))
    scaled: NDArray[np.float32] = (partitions / roots[:, :, None] / roots[:, None, :]).astype(np.float32)
    return scaled


def spatial_partitions(layout: JointLayout) -> NDArray[np.float32]:
    """Return partitions ``[3, V, W]``: the joint itself, neighbors nearer to the center, and farther ones.

    This is the "spatial configuration" of ST-GCN (Yan et al. 2018, section 3.3, eq. 8 and 10), with the
    number of bones as the distance to the center. A joint's weights over the three partitions sum to one. The
    authors' code clips distances at one, so that most neighbors count as farther; here, as in the paper,
    they are not clipped.
    """
    hops = hops_from_centre(layout)
    linked = np.eye(layout.num_joints, dtype=np.float32)
    for child, parent in layout.edges:
        linked[child, parent] = linked[parent, child] = 1
    linked /= linked.sum(axis=0)
    from_V1, to_1W = hops[:, None], hops[None, :]
    return np.stack([linked * (from_V1 == to_1W), linked * (from_V1 < to_1W), linked * (from_V1 > to_1W)])


def directed_partitions(layout: JointLayout) -> NDArray[np.float32]:
    """Return partitions ``[3, V, W]`` of ST-GCN++: the joint itself, its parent, and its children's mean.

    A parent is the neighbor nearer to the center.
    """
    partitions = np.zeros((3, layout.num_joints, layout.num_joints), dtype=np.float32)
    partitions[0] = np.eye(layout.num_joints)
    hops = hops_from_centre(layout)
    for edge in layout.edges:
        parent, child = sorted(edge, key=lambda joint: hops[joint])
        partitions[1, parent, child] = partitions[2, child, parent] = 1
    sums_P1W = partitions.sum(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(partitions, sums_P1W, out=partitions, where=sums_P1W > 0)
    return scaled
