"""Agreement between two assignments of the same classes.

Legend: K classes, A and B the superclasses of either assignment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autohier.errors import InputError


def adjusted_rand_index(a_K: ArrayLike, b_K: ArrayLike) -> float:
    """Return the adjusted Rand index of two assignments: 1 if they are equal, about 0 by chance.

    Hubert & Arabie 1985, "Comparing partitions", eq. 5. Returns 1.0 for 0/0, when both assignments put all
    classes into one superclass, or each class into its own, since they are equal then.

    Args:
        a_K: ``[K]`` labels; their values are names only.
        b_K: ``[K]`` labels.

    Raises:
        InputError: if the assignments differ in length or are empty.
    """
    labels_a_K, labels_b_K = np.asarray(a_K), np.asarray(b_K)
    if labels_a_K.ndim != 1 or labels_a_K.shape != labels_b_K.shape or not labels_a_K.size:
        raise InputError(
            "two assignments must be of the same classes", got=f"{labels_a_K.shape} and {labels_b_K.shape}"
        )
    names_a, index_a_K = np.unique(labels_a_K, return_inverse=True)
    names_b, index_b_K = np.unique(labels_b_K, return_inverse=True)
    overlap_AB = np.zeros((len(names_a), len(names_b)), dtype=np.int64)
    np.add.at(overlap_AB, (index_a_K, index_b_K), 1)

    together = _num_pairs(overlap_AB)
    together_a, together_b = _num_pairs(overlap_AB.sum(axis=1)), _num_pairs(overlap_AB.sum(axis=0))
    expected = together_a * together_b / max(_num_pairs(np.array([labels_a_K.size])), 1)
    most = (together_a + together_b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _num_pairs(sizes: np.ndarray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
