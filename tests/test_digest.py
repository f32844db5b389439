"""Digests depend on content alone."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.digest import canonical_json, derive_seed, digest, digest_file
from autohier.errors import InputError


def test_order_of_keys_does_not_matter():
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_digest_is_sha256_of_the_text():
    assert digest([1]) == hashlib.sha256(b"[1]").hexdigest()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"x": object()}])
def test_values_that_json_cannot_represent_are_refused(value):
    with pytest.raises(InputError, match="must be finite JSON"):
        digest(value)


def test_a_file_of_several_blocks_is_digested(tmp_path):
    content = bytes(range(256)) * 5000  # more than one block
    (tmp_path / "file").write_bytes(content)
    assert digest_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


@given(st.integers(), st.integers(), st.text())
def test_seeds_are_small_and_depend_on_every_part(first, second, text):
    seed = derive_seed(first, second, text)
    assert 0 <= seed < 2**31
    assert seed == derive_seed(first, second, text)
    assert first == second or seed != derive_seed(second, first, text)
