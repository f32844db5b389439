"""Superclass counts: every code decodes to allowed, ascending counts, and decoding inverts encoding."""

import json
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.config.search.counts import allowed_counts, decode_counts, encode_counts
from autohier.errors import InputError


def test_divisors_of_60():
    assert allowed_counts(60, 3) == (2, 3, 4, 5, 6, 10, 12, 15, 20, 30)


def test_auto_allows_balanced_counts_if_divisors_are_few():
    # Proper divisors of 27 are 3 and 9: one pair, so auto takes 2..13.
    assert allowed_counts(27, 2) == tuple(range(2, 14))
    assert allowed_counts(27, 2, "divisors") == (3, 9)


def test_a_list_of_counts_is_allowed():
    assert allowed_counts(99, 2, (15, 4, 15)) == (4, 15)
    assert allowed_counts(6, 1, (1, 3)) == (3,)  # one superclass of all classes is none
    with pytest.raises(InputError, match=r"must be below the 6 classes, .* but got 6, 7: leave them out"):
        allowed_counts(6, 1, (6, 3, 7))
    with pytest.raises(InputError, match=r"2 ascending superclass counts must fit 99 classes"):
        allowed_counts(99, 2, (4,))


def test_more_levels_than_counts_are_refused():
    with pytest.raises(InputError, match="4 ascending superclass counts must fit 6 classes"):
        allowed_counts(6, 4)


@pytest.mark.parametrize(
    ("num_classes", "levels", "rule", "hint"),
    [
        # Proper divisors of 10 are 2 and 5; balanced counts are 2, 3, 4 and 5.
        (10, 3, "divisors", "set search.counts to 'balanced', or set search.levels to 2"),
        (10, 2, (4,), "set search.counts to 'balanced', or set search.levels to 1"),
        (10, 2, (1,), "set search.counts to 'balanced'"),
        # Balanced counts of 6 are 2 and 3; a list may also hold 4 and 5.
        (6, 4, "balanced", "name counts among [2, 3, 4, 5] as search.counts, or set search.levels to 2"),
        (6, 4, "auto", "name counts among [2, 3, 4, 5] as search.counts, or set search.levels to 2"),
        (3, 1, "auto", "name counts among [2] as search.counts"),
        (3, 2, "balanced", "at most 1 can: set search.levels to 1 and search.counts to [2]"),
        (2, 1, "balanced", "none can: 2 classes are too few for superclasses"),
    ],
)
def test_the_hint_fixes_the_error(num_classes, levels, rule, hint):
    with pytest.raises(InputError, match="must fit") as caught:
        allowed_counts(num_classes, levels, rule)
    assert caught.value.hint == hint
    for levels_set in re.findall(r"search\.levels to (\d)", hint):
        counts = re.search(r"search\.counts to (\[.*\])", hint)
        allowed_counts(num_classes, int(levels_set), json.loads(counts[1]) if counts else rule)
    if "'balanced'" in hint:
        allowed_counts(num_classes, levels, "balanced")
    if listed := re.search(r"among (\[.*\]) as", hint):
        allowed_counts(num_classes, levels, json.loads(listed[1]))


@pytest.mark.parametrize("num_classes", [10, 12, 20, 27, 51, 60, 101, 120])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_decoding_inverts_encoding(num_classes, levels):
    allowed = allowed_counts(num_classes, levels)[:14]
    for counts in combinations(allowed, levels):
        assert decode_counts(encode_counts(counts, allowed), allowed) == counts


@given(
    fanouts=st.lists(st.floats(0, 1), min_size=1, max_size=4), num_classes=st.sampled_from([12, 27, 60, 120])
)
def test_decoded_counts_ascend_and_are_allowed(fanouts, num_classes):
    allowed = allowed_counts(num_classes, len(fanouts))
    counts = decode_counts(fanouts, allowed)
    assert set(counts) <= set(allowed)
    assert all(low < high for low, high in pairwise(counts))


def test_fanouts_are_logarithmic():
    # On a log scale, 8 is halfway between 2 and 32, and 16 halfway between 8 and 32.
    assert decode_counts((0.5, 0.5), (2, 4, 8, 16, 32)) == (8, 16)


def test_a_count_that_is_not_allowed_cannot_be_encoded():
    with pytest.raises(InputError, match=r"got \[7\]: allowed are"):
        encode_counts((2, 7), (2, 3, 4))


def test_no_levels_need_no_allowed_counts():
    assert decode_counts((), ()) == encode_counts((), ()) == ()
