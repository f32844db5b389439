from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.core.hierarchy import adjusted_rand_index
from autohier.errors import InputError

pairs_of_labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12)


def test_crossed_halves_agree_less_than_chance() -> None:
    # No pair is together in both, 2 of 6 are in either: 0 against 2 * 2 / 6 by chance, 2 at most.
    assert adjusted_rand_index([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx((0 - 2 / 3) / (2 - 2 / 3))


def test_one_class_moved() -> None:
    # Sizes 3 and 3 against 2 and 4, overlaps 2, 1 and 3: pairs together 1 + 3 = 4, in one 6, in the other 7,
    # of 15 in all; by chance 6 * 7 / 15 = 2.8, at most 6.5.
    assert adjusted_rand_index([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]) == pytest.approx(1.2 / 3.7)


@given(pairs_of_labels)
def test_it_is_the_rand_index_corrected_for_chance(labels: list[tuple[int, int]]) -> None:
    # Hubert & Arabie's first form: agreements of both kinds, of pairs together and of pairs apart.
    pairs = list(combinations(labels, 2))
    together_a = sum(p[0] == q[0] for p, q in pairs) / len(pairs)
    together_b = sum(p[1] == q[1] for p, q in pairs) / len(pairs)
    rand = sum((p[0] == q[0]) == (p[1] == q[1]) for p, q in pairs) / len(pairs)
    chance = together_a * together_b + (1 - together_a) * (1 - together_b)
    expected = 1.0 if chance == 1 else (rand - chance) / (1 - chance)
    assert adjusted_rand_index(*zip(*labels, strict=True)) == pytest.approx(expected)


@given(pairs_of_labels)
def test_names_and_order_do_not_matter(labels: list[tuple[int, int]]) -> None:
    a, b = zip(*labels, strict=True)
    index = adjusted_rand_index(a, b)
    assert adjusted_rand_index([7 - label for label in a], b) == index
    assert adjusted_rand_index(b, a) == pytest.approx(index)
    assert adjusted_rand_index(a, a) == 1


@pytest.mark.parametrize(("a", "b"), [([], []), ([0, 1], [0, 1, 2]), ([[0, 1]], [[0, 1]])])
def test_assignments_of_different_classes_are_refused(a: list[int], b: list[int]) -> None:
    with pytest.raises(InputError, match="must be of the same classes"):
        adjusted_rand_index(a, b)
