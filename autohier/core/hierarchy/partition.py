"""Balanced partition: equal superclasses that keep confused classes together.

Legend: K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike

from autohier.core.hierarchy.class_graph import class_graph
from autohier.core.hierarchy.descent import Assignment, Edges, descend
from autohier.core.hierarchy.starts import random_starts, two_level_starts
from autohier.errors import InputError


def balanced_partition(
    confusion_KK: ArrayLike, num_superclasses: int, *, restarts: int = 1000, seed: int = 0
) -> Assignment:
    """Partition the classes into superclasses of equal size that are confused least (HAC 3.3).

    Minimizes the sum of e_ij = c_ij + c_ji over pairs of classes in different superclasses: greedy descent
    from random balanced starts, keeping the best result. It differs from HAC in three points. Half of the
    descents begin at two-level starts, since random starts alone miss the optimum of large graphs. If the
    number of superclasses does not divide that of the classes, sizes differ by at most one. The range of
    superclasses in the formula is read as 1..M; the printed 1..N/M would be their size.

    The result is the same on any machine for the same matrix, count and seed. More restarts never give a
    worse result, since their descents include those of fewer restarts.

    Args:
        confusion_KK: ``[K, K]`` counts or probabilities, rows the true class.
        num_superclasses: number of superclasses, 1..K.
        restarts: number of descents from random starts, and again from two-level starts.
        seed: of the random starts.

    Returns:
        ``[K]`` superclass of each class; superclasses are numbered by their smallest class.

    Raises:
        InputError: if the matrix is not a confusion matrix, or a number is outside its range.
    """
    edges_KK = class_graph(confusion_KK)
    num_classes = len(edges_KK)
    if not 1 <= num_superclasses <= num_classes:
        raise InputError(f"{num_classes} classes have 1 to {num_classes} superclasses", got=num_superclasses)
    if restarts < 1:
        raise InputError("a partition needs at least one restart", got=restarts)
    if num_superclasses == num_classes:
        return np.arange(num_classes)
    return lowest_descent(edges_KK, num_superclasses, _starts(edges_KK, num_superclasses, restarts, seed))


def partition_cost(edges_KK: Edges, assignment_K: Assignment) -> float:
    """Return the sum of the edges between classes of different superclasses, each pair once (HAC 3.3).

    Args:
        edges_KK: a class graph, see `class_graph`.
        assignment_K: superclass of each class.
    """
    apart_KK = assignment_K[:, None] != assignment_K
    return float(edges_KK[apart_KK].sum() / 2)


def lowest_descent(edges_KK: Edges, num_superclasses: int, starts: Iterable[Assignment]) -> Assignment:
    """Descend from all starts and return the cheapest assignment ``[K]``; the earliest of equals."""
    best_K = np.zeros(len(edges_KK), dtype=np.int64)
    best_cost = math.inf
    for start_K in starts:
        assignment_K = descend(edges_KK, start_K, num_superclasses)
        cost = partition_cost(edges_KK, assignment_K)
        if cost < best_cost:
            best_K, best_cost = assignment_K, cost
        if best_cost == 0:
            break
    return numbered_by_smallest_class(best_K)


def numbered_by_smallest_class(assignment_K: Assignment) -> Assignment:
    """Renumber superclasses 0, 1, ... in the order of their smallest classes."""
    _, first_S, label_K = np.unique(assignment_K, return_index=True, return_inverse=True)
    rank_S = np.empty_like(first_S)
    rank_S[np.argsort(first_S)] = np.arange(len(first_S))
    return rank_S[label_K]


def _starts(edges_KK: Edges, num_superclasses: int, restarts: int, seed: int) -> Iterator[Assignment]:
    two_level = two_level_starts(edges_KK, num_superclasses, seed)
    for start_K in islice(random_starts(len(edges_KK), num_superclasses, seed), restarts):
        yield start_K
        yield from islice(two_level, 1)
