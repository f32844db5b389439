"""Graphs of joints: which neighbours each partition of a spatial graph convolution gathers from.

A partition is a matrix whose entry (v, w) weighs what joint w takes from joint v. Every one is normalised so
that the entries which flow into a joint sum to one, over all partitions or within each: A D^-1.

Legend: P partitions, V joints gathered from, W joints gathered to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import LAYOUTS, JointLayout
from autohier.errors import InputError


def find_layout(name: str) -> JointLayout:
    """The layout of that name.

    Raises:
        InputError: for an unknown one.
    """
    if name not in LAYOUTS:
        raise InputError(
            "layout must be a known one", got=repr(name), remedy=f"valid are {', '.join(LAYOUTS)}"
        )
    return LAYOUTS[name]


def hops_from_centre(layout: JointLayout) -> NDArray[np.int64]:
    """Bones between each joint ``[V]`` and the centre, the one joint that hangs on no other."""
    parents = dict(layout.edges)
    hops = np.zeros(layout.num_joints, dtype=np.int64)
    for joint in range(layout.num_joints):
        above = joint
        while above in parents:
            above = parents[above]
            hops[joint] += 1
    return hops


def spatial_partitions(layout: JointLayout) -> NDArray[np.float32]:
    """A joint itself, its neighbours nearer to the centre, and those farther: ``[3, V, W]``.

    The "spatial configuration" of ST-GCN (Yan et al. 2018, section 3.3, eq. 8 and 10), with hops along the
    bones as the distance to the centre. All a joint gathers, over the three, sums to one. The authors' code
    cuts hops off at one, so that most neighbours count as farther; here all hops count, as in the paper.
    """
    hops = hops_from_centre(layout)
    linked = np.eye(layout.num_joints, dtype=np.float32)
    for child, parent in layout.edges:
        linked[child, parent] = linked[parent, child] = 1
    linked /= linked.sum(axis=0)
    from_V1, to_1W = hops[:, None], hops[None, :]
    return np.stack([linked * (from_V1 == to_1W), linked * (from_V1 < to_1W), linked * (from_V1 > to_1W)])


def directed_partitions(layout: JointLayout) -> NDArray[np.float32]:
    """A joint itself, its parent, and the mean of its children: ``[3, V, W]``, as in ST-GCN++."""
    partitions = np.zeros((3, layout.num_joints, layout.num_joints), dtype=np.float32)
    partitions[0] = np.eye(layout.num_joints)
    for child, parent in layout.edges:
        partitions[1, parent, child] = partitions[2, child, parent] = 1
    sums_P1W = partitions.sum(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(partitions, sums_P1W, out=partitions, where=sums_P1W > 0)
    return scaled
