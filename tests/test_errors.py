"""Errors state rule, value and remedy on one line, and survive the way between processes."""

import pickle

from autohier.errors import InputError


def test_rule_value_and_remedy():
    error = InputError("the ratio must lie in [0, 1)", got=1.5, remedy="write e.g. 0.1")
    assert str(error) == "the ratio must lie in [0, 1), but got 1.5: write e.g. 0.1"


def test_one_line_whatever_the_value():
    assert str(InputError("a file must be whole", got="line one\nline two")) == (
        "a file must be whole, but got line one line two"
    )


def test_pickling_keeps_all_of_it():
    error = pickle.loads(pickle.dumps(InputError("rule", got=3, remedy="mend it")))
    assert (str(error), error.got) == ("rule, but got 3: mend it", 3)
