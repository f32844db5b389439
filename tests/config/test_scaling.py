"""Scaling of data-parallel stages, by hand."""

import pytest

from autohier.config.scaling import Scaling, parse_scaling
from autohier.errors import InputError


def test_the_named_width_has_the_named_efficiency():
    scaling = parse_scaling("8:0.8")
    assert scaling == Scaling(8, 0.8)
    assert scaling.duration(1) == 1
    assert scaling.duration(8) == pytest.approx(1 / (8 * 0.8))
    # A serial share of (1 / 0.8 - 1) / 7 = 1/28 of the time: (27/28) / 2 + 1/28 on two.
    assert scaling.duration(2) == pytest.approx(29 / 56)


def test_without_an_efficiency_scaling_is_perfect():
    assert parse_scaling("4").duration(4) == 0.25
    assert parse_scaling("1") == Scaling(1, 1.0)


def test_its_text_is_read_back():
    assert parse_scaling(str(Scaling(8, 0.75))) == Scaling(8, 0.75)


@pytest.mark.parametrize("text", ["", "0:1", "8:0.125", "8:1.1", "8:", "eight", "8:0.8:2", "-2", "1:0.5"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="--scaling must be WIDTH:EFFICIENCY"):
        parse_scaling(text)
