"""Errors state rule, value and remedy on one line, and survive the way between processes."""

import pickle

import pytest

from autohier.errors import InputError


def test_rule_value_and_remedy():
    error = InputError("the ratio must lie in [0, 1)", got=1.5, remedy="write e.g. 0.1")
    assert str(error) == "the ratio must lie in [0, 1), but got 1.5: write e.g. 0.1"


def test_one_line_whatever_the_value():
    assert str(InputError("a file must be whole", got="line one\nline two")) == (
        "a file must be whole, but got line one line two"
    )


def test_what_cannot_be_printed_is_written_out():
    error = InputError("a name must be of letters", got="a\x1b[31m\x00\u2028b\ud800 \u00e9")
    assert str(error) == "a name must be of letters, but got a\\x1b[31m\\x00 b\\ud800 \u00e9"


@pytest.mark.parametrize("letter", ["x", "\x00", "\U0010ffff"])
def test_a_long_value_is_told_by_its_ends(letter):
    error = InputError("a rule", got=f"first{letter * 10**6}last", remedy=f"see {letter * 10**6}")
    _, got = str(error).split(", but got ")
    value, remedy = got.split(": ")
    assert len(value) == len(remedy) == 500
    assert value.startswith("first")
    assert value.endswith("last")
    assert "..." in value


def test_pickling_keeps_all_of_it():
    error = pickle.loads(pickle.dumps(InputError("rule", got=3, remedy="mend it")))
    assert (str(error), error.got) == ("rule, but got 3: mend it", 3)
