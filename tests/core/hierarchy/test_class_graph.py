import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from autohier.core.hierarchy import class_graph
from autohier.errors import InputError

finite = st.floats(min_value=0, max_value=1e308, allow_nan=False, allow_infinity=False)
matrices = st.integers(1, 8).flatmap(lambda k: arrays(np.float64, (k, k), elements=finite))


def test_edges_are_sums_of_the_confusions_in_both_directions() -> None:
    confusion = [[90, 3, 0], [4, 80, 1], [0, 2, 70]]
    assert class_graph(confusion).tolist() == [[0, 7, 0], [7, 0, 3], [0, 3, 0]]


def test_fractions_keep_their_proportions() -> None:
    # All edges are scaled by one power of two, with an error below one part in 2**50 of the sum.
    edges = class_graph([[0.6, 0.3, 0.2], [0.1, 0.5, 0.0], [0.7, 0.0, 0.3]])
    scale = edges[0, 1] / 0.4
    assert np.log2(scale) == pytest.approx(round(np.log2(scale)), abs=1e-12)
    assert edges / scale == pytest.approx(np.array([[0, 0.4, 0.9], [0.4, 0, 0], [0.9, 0, 0]]), abs=1e-14)


@given(matrices)
def test_edges_are_symmetric_integers_that_add_exactly(confusion: NDArray[np.float64]) -> None:
    edges = class_graph(confusion)
    assert (edges == np.rint(edges)).all()
    assert (edges == edges.T).all()
    assert (edges.diagonal() == 0).all()
    assert (edges >= 0).all()
    assert sum(int(edge) for edge in edges.flat) < 2**52


@given(matrices)
def test_the_largest_edge_stays_positive(confusion: NDArray[np.float64]) -> None:
    off_diagonal = confusion * (1 - np.eye(len(confusion)))
    assert class_graph(confusion).any() == off_diagonal.any()


def test_the_argument_is_not_changed() -> None:
    confusion = np.array([[5.0, 1.0], [2.0, 5.0]])
    class_graph(confusion)
    assert confusion.tolist() == [[5, 1], [2, 5]]


@pytest.mark.parametrize(
    ("confusion", "fault"),
    [
        ([[1, 2, 3], [4, 5, 6]], r"shape \(2, 3\)"),
        ([1, 2], r"shape \(2,\)"),
        (np.zeros((0, 0)), r"shape \(0, 0\)"),
        ([[1, 2], [3]], "unequal length"),
        ([[1, -2], [3, 4]], "a negative value at row 0, column 1"),
        ([[1, 2], [np.nan, 4]], "a NaN value at row 1, column 0"),
        ([[1, 2], [3, np.inf]], "an infinite value at row 1, column 1"),
        ([["a", "b"], ["c", "d"]], "values of type <U1"),
        ([[1j, 0], [0, 1]], "values of type complex128"),
        ([[None, 0], [0, 1]], "values of type object"),
    ],
)
def test_an_invalid_confusion_matrix_is_refused(confusion: ArrayLike, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        class_graph(confusion)
