"""Class graph: how often the network confuses any two classes.

Legend: K classes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autohier.errors import InputError

# Below 2**52 every sum, and every difference of two sums, of integers is exact in float64.
_EXACT_BITS = 52


def class_graph(confusion_KK: ArrayLike) -> NDArray[np.float64]:
    """Return undirected edges between classes, e_ij = c_ij + c_ji, from a confusion matrix (HAC 3.3).

    The edges are integers that float64 adds without rounding. The order of additions, which differs between
    machines, therefore cannot change which swap of classes is best. Counts are not changed. Other values
    (probabilities, averages) are scaled by a power of two and rounded, with an error below one part in 2**50
    of the sum of all edges.

    Args:
        confusion_KK: ``[K, K]`` counts or probabilities, rows the true class.

    Returns:
        ``[K, K]`` symmetric integers with a zero diagonal, whose sum is below 2**52.

    Raises:
        InputError: if the matrix is not square, not numeric, or holds a negative, a NaN or an infinity.
    """
    scores_KK = _checked(confusion_KK)
    np.fill_diagonal(scores_KK, 0.0)
    if not _adds_exactly(scores_KK):
        # Halving the largest first keeps the sum of both directions finite.
        scores_KK = np.ldexp(scores_KK, -math.frexp(scores_KK.max())[1])
    edges_KK: NDArray[np.float64] = scores_KK + scores_KK.T
    if not _adds_exactly(edges_KK):
        # fsum rounds once in any order of summands; a plain sum could differ between machines.
        exponent = math.frexp(math.fsum(edges_KK.flat))[1]
        edges_KK = np.rint(np.ldexp(edges_KK, _EXACT_BITS - 1 - exponent))
    return edges_KK


def _adds_exactly(values_KK: NDArray[np.float64]) -> bool:
    is_integer = bool((values_KK == np.rint(values_KK)).all())
    return is_integer and float(values_KK.max(initial=0.0)) * values_KK.size < 2**_EXACT_BITS


def _checked(confusion_KK: ArrayLike) -> NDArray[np.float64]:
    """Return a float64 copy of the matrix."""
    rule = "a confusion matrix must be square and hold finite numbers that are not negative"
    try:
        matrix = np.asarray(confusion_KK)
    except ValueError as error:
        raise InputError(rule, got="rows of unequal length") from error
    if matrix.dtype.kind not in "biuf":
        raise InputError(rule, got=f"values of type {matrix.dtype}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InputError(rule, got=f"shape {matrix.shape}")
    scores_KK = matrix.astype(np.float64)
    faults = (
        ("a NaN", np.isnan(scores_KK)),
        ("an infinite", np.isinf(scores_KK)),
        ("a negative", scores_KK < 0),
    )
    for fault, where_KK in faults:
        if where_KK.any():
            row, column = np.argwhere(where_KK)[0]
            raise InputError(rule, got=f"{fault} value at row {row}, column {column}")
    return scores_KK
