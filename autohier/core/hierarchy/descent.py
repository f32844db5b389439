"""Greedy descent: swap two classes between superclasses, the best pair first, until no swap helps.

Legend: K classes, S superclasses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Edges = NDArray[np.float64]
Assignment = NDArray[np.int64]


def affinity(edges_KK: Edges, assignment_K: Assignment, num_superclasses: int) -> Edges:
    """Return the sum of the edges from each superclass to each class, ``[S, K]``."""
    member_SK = np.arange(num_superclasses)[:, None] == assignment_K
    affinity_SK: Edges = member_SK.astype(np.float64) @ edges_KK
    return affinity_SK


def descend(edges_KK: Edges, assignment_K: Assignment, num_superclasses: int) -> Assignment:
    """Swap the pair of classes that lowers the cost most, until no swap does (HAC 3.3).

    Superclass sizes never change.

    Swapping class i of superclass a with class j of b gains A[b,i] + A[a,j] - A[a,i] - A[b,j] - 2 e_ij,
    where A is the affinity. One matrix expression gives the gain of all pairs, and a swap changes two rows
    of A. Pairs within one superclass gain -2 e_ij, so that they are never chosen and need no mask.

    Args:
        edges_KK: a class graph, see `class_graph`. Its edges are integers, so that gains are exact and the
            descent ends.
        assignment_K: superclass of each class.
        num_superclasses: S.

    Returns:
        A new assignment ``[K]`` that no swap can improve. Among equal gains the smallest (i, j) is swapped.
    """
    num_classes = len(assignment_K)
    assignment_K = assignment_K.copy()
    affinity_SK = affinity(edges_KK, assignment_K, num_superclasses)
    half_gain_KK = np.empty_like(edges_KK)
    gain_KK = np.empty_like(edges_KK)
    while True:
        # half_gain[j, i]: gain of class i joining the superclass of j after j has left it.
        np.take(affinity_SK, assignment_K, axis=0, out=half_gain_KK, mode="clip")
        half_gain_KK -= half_gain_KK.diagonal().copy()
        half_gain_KK -= edges_KK
        np.add(half_gain_KK, half_gain_KK.T, out=gain_KK)
        i, j = divmod(int(gain_KK.argmax()), num_classes)
        if gain_KK[i, j] <= 0:
            return assignment_K
        a, b = assignment_K[i], assignment_K[j]
        change_K = edges_KK[j] - edges_KK[i]
        affinity_SK[a] += change_K
        affinity_SK[b] -= change_K
        assignment_K[i], assignment_K[j] = b, a
