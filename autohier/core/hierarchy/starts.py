"""Starting points of the descent: random balanced assignments, and clusters built in two levels.

Legend: K classes, S superclasses, G small groups of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autohier.core.hierarchy.descent import Assignment, Edges, affinity, descend
from autohier.digest import derive_seed

_SMALL_GROUP_SIZES = (2, 3, 4, 6)


def random_starts(num_classes: int, num_superclasses: int, seed: int) -> Iterator[Assignment]:
    """Yield random assignments ``[K]`` endlessly; superclass sizes differ by at most one.

    The stream depends on (seed, K, S) only, so that more restarts extend fewer.
    """
    balanced_K = np.arange(num_classes) % num_superclasses
    # Raw bits: numpy guarantees these streams between versions; permutation() may change.
    bits = np.random.PCG64(derive_seed("balanced partition", seed, num_classes, num_superclasses))
    while True:
        yield balanced_K[np.argsort(bits.random_raw(num_classes), kind="stable")]


def two_level_starts(edges_KK: Edges, num_superclasses: int, seed: int) -> Iterator[Assignment]:
    """Yield balanced assignments ``[K]`` endlessly that keep the most confused classes together.

    Classes descend into small groups of 2, 3, 4 or 6 in turn, the groups descend into superclasses, and
    single classes then move until the sizes differ by at most one. From 100 classes on, random starts alone
    (HAC 3.3) end up to 18% above the best known cost; these starts reduce that to a few percent. Yields
    nothing if superclasses are no larger than the smallest groups.
    """
    num_classes = len(edges_KK)
    group_counts = [-(-num_classes // size) for size in _SMALL_GROUP_SIZES]
    group_counts = [count for count in group_counts if count > num_superclasses]
    group_starts = [random_starts(num_classes, count, seed) for count in group_counts]
    super_starts = [random_starts(count, num_superclasses, seed) for count in group_counts]
    while group_counts:
        for num_groups, group_start, super_start in zip(
            group_counts, group_starts, super_starts, strict=True
        ):
            group_K = descend(edges_KK, next(group_start), num_groups)
            edges_GG = affinity(affinity(edges_KK, group_K, num_groups).T.copy(), group_K, num_groups)
            np.fill_diagonal(edges_GG, 0.0)
            super_G = descend(edges_GG, next(super_start), num_superclasses)
            yield _balanced(edges_KK, super_G[group_K], num_superclasses)


def _balanced(edges_KK: Edges, assignment_K: Assignment, num_superclasses: int) -> Assignment:
    """Move classes from the largest to the smallest superclass, best gain first, until sizes are even."""
    sizes_S = np.bincount(assignment_K, minlength=num_superclasses)
    while sizes_S.max() - sizes_S.min() > 1:
        large, small = int(sizes_S.argmax()), int(sizes_S.argmin())
        affinity_SK = affinity(edges_KK, assignment_K, num_superclasses)
        members = np.flatnonzero(assignment_K == large)
        gains = affinity_SK[small, members] - affinity_SK[large, members]
        assignment_K[members[gains.argmax()]] = small
        sizes_S[large] -= 1
        sizes_S[small] += 1
    return assignment_K
