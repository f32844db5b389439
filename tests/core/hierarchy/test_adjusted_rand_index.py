from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.core.hierarchy import adjusted_rand_index
from autohier.errors import InputError

pairs_of_labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12)


def test_crossed_halves_agree_less_than_chance() -> None:
    # No pair is together in both assignments, 2 of 6 pairs in each: 0, 2 * 2 / 6 by chance, at most 2.
    assert adjusted_rand_index([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx((0 - 2 / 3) / (2 - 2 / 3))


def test_moving_one_class_gives_the_index_computed_by_hand() -> None:
    # Sizes are 3 and 3, and 2 and 4; overlaps are 2, 1 and 3. Of 15 pairs, 1 + 3 = 4 are together in both
    # assignments, 6 in the first and 7 in the second: 4, 6 * 7 / 15 = 2.8 by chance, at most 6.5.
    assert adjusted_rand_index([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]) == pytest.approx(1.2 / 3.7)


@given(pairs_of_labels)
def test_it_is_the_rand_index_corrected_for_chance(labels: list[tuple[int, int]]) -> None:
    # First form of Hubert & Arabie: agreements are pairs together in both and pairs apart in both.
    pairs = list(combinations(labels, 2))
    together_a = sum(p[0] == q[0] for p, q in pairs) / len(pairs)
    together_b = sum(p[1] == q[1] for p, q in pairs) / len(pairs)
    rand = sum((p[0] == q[0]) == (p[1] == q[1]) for p, q in pairs) / len(pairs)
    chance = together_a * together_b + (1 - together_a) * (1 - together_b)
    expected = 1.0 if chance == 1 else (rand - chance) / (1 - chance)
    assert adjusted_rand_index(*zip(*labels, strict=True)) == pytest.approx(expected)


@given(pairs_of_labels)
def test_label_names_and_argument_order_have_no_effect(labels: list[tuple[int, int]]) -> None:
    a, b = zip(*labels, strict=True)
    index = adjusted_rand_index(a, b)
    assert adjusted_rand_index([7 - label for label in a], b) == index
    assert adjusted_rand_index(b, a) == pytest.approx(index)
    assert adjusted_rand_index(a, a) == 1


@pytest.mark.parametrize(("a", "b"), [([], []), ([0, 1], [0, 1, 2]), ([[0, 1]], [[0, 1]])])
def test_assignments_of_different_classes_are_refused(a: list[int], b: list[int]) -> None:
    with pytest.raises(InputError, match="must be of the same classes"):
        adjusted_rand_index(a, b)
