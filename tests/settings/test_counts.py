"""The coding of superclass counts: feasible by construction, exact both ways."""

import json
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.errors import InputError
from autohier.settings.counts import allowed_counts, decode_counts, encode_counts


def test_divisors_of_60_are_the_proper_ones():
    assert allowed_counts(60, 3) == (2, 3, 4, 5, 6, 10, 12, 15, 20, 30)


def test_27_classes_have_too_few_divisors_so_every_balanced_count_is_allowed():
    # Proper divisors of 27 are 3 and 9: one pair, so auto takes 2..13.
    assert allowed_counts(27, 2) == tuple(range(2, 14))
    assert allowed_counts(27, 2, "divisors") == (3, 9)


def test_counts_may_be_named():
    assert allowed_counts(99, 2, (15, 4, 15)) == (4, 15)
    # One superclass, or as many as there are classes, is none.
    assert allowed_counts(6, 1, (1, 3, 6)) == (3,)
    with pytest.raises(InputError, match=r"2 ascending superclass counts must fit 99 classes"):
        allowed_counts(99, 2, (4,))


def test_more_levels_than_counts_is_refused():
    with pytest.raises(InputError, match="4 ascending superclass counts must fit 6 classes"):
        allowed_counts(6, 4)


@pytest.mark.parametrize(
    ("num_classes", "levels", "rule", "remedy"),
    [
        # Proper divisors of 10 are 2 and 5; up to half of it go 2, 3, 4 and 5.
        (10, 3, "divisors", "set search.counts to 'balanced', or set search.levels to 2"),
        (10, 2, (4,), "set search.counts to 'balanced', or set search.levels to 1"),
        (10, 2, (1,), "set search.counts to 'balanced'"),
        # Half of 6 leaves 2 and 3; below 6 there are also 4 and 5.
        (6, 4, "balanced", "name counts among [2, 3, 4, 5] as search.counts, or set search.levels to 2"),
        (6, 4, "auto", "name counts among [2, 3, 4, 5] as search.counts, or set search.levels to 2"),
        (3, 1, "auto", "name counts among [2] as search.counts"),
        (3, 2, "balanced", "at most 1 can: set search.levels to 1 and search.counts to [2]"),
        (2, 1, "balanced", "none can: 2 classes are too few for superclasses"),
    ],
)
def test_the_remedy_mends_it(num_classes, levels, rule, remedy):
    with pytest.raises(InputError, match="must fit") as caught:
        allowed_counts(num_classes, levels, rule)
    assert caught.value.remedy == remedy
    for levels_set in re.findall(r"search\.levels to (\d)", remedy):
        counts = re.search(r"search\.counts to (\[.*\])", remedy)
        allowed_counts(num_classes, int(levels_set), json.loads(counts[1]) if counts else rule)
    if "'balanced'" in remedy:
        allowed_counts(num_classes, levels, "balanced")
    if named := re.search(r"among (\[.*\]) as", remedy):
        allowed_counts(num_classes, levels, json.loads(named[1]))


@pytest.mark.parametrize("num_classes", [10, 12, 20, 27, 51, 60, 101, 120])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_every_tuple_survives_the_round_trip(num_classes, levels):
    allowed = allowed_counts(num_classes, levels)[:14]
    for counts in combinations(allowed, levels):
        assert decode_counts(encode_counts(counts, allowed), allowed) == counts


@given(
    fanouts=st.lists(st.floats(0, 1), min_size=1, max_size=4), num_classes=st.sampled_from([12, 27, 60, 120])
)
def test_whatever_is_drawn_ascends_and_is_allowed(fanouts, num_classes):
    allowed = allowed_counts(num_classes, len(fanouts))
    counts = decode_counts(fanouts, allowed)
    assert set(counts) <= set(allowed)
    assert all(low < high for low, high in pairwise(counts))


def test_fanouts_are_logarithmic():
    # Between 2 and 32 the middle of the log scale is 8; from 8 on, half of the way to 32 is 16.
    assert decode_counts((0.5, 0.5), (2, 4, 8, 16, 32)) == (8, 16)


def test_a_count_that_is_not_allowed_cannot_be_encoded():
    with pytest.raises(InputError, match=r"got \[7\]: allowed are"):
        encode_counts((2, 7), (2, 3, 4))


def test_without_levels_no_count_need_be_allowed():
    assert decode_counts((), ()) == encode_counts((), ()) == ()
