"""Joint graphs: the neighbors that each partition of a spatial graph convolution gathers from.

A partition is a matrix whose entry (v, w) is the weight with which joint w gathers from joint v. Columns are
normalized to sum to one, over all partitions or within each: A D^-1.

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
