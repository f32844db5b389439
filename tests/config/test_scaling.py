"""Scaling of data-parallel stages, by hand."""

import pytest

from autohier.config.scaling import MeasuredScaling, Scaling, check_scaling, parse_scaling
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


def test_a_scaling_that_is_to_be_measured_is_accepted():
    assert check_scaling("measure") == "measure"
    with pytest.raises(InputError, match="--scaling must be WIDTH:EFFICIENCY"):
        check_scaling("measured")


def measured(**step_s):
    return MeasuredScaling(machines="m", step_s={width.strip("w"): time for width, time in step_s.items()})


def test_the_last_number_that_pays_is_taken():
    # From 2 to 4 a step loses 0.06 of 0.56 s, more than a tenth; from 4 to 8 it loses 0.04 of 0.5 s, less.
    found = measured(w1=1.0, w2=0.56, w4=0.5, w8=0.46)
    assert not found.pays
    assert found.scaling == Scaling(4, 0.5)
    assert measured(w1=1.0, w2=0.56, w4=0.5).pays
    # What follows a number that does not pay is not looked at.
    assert measured(w1=1.0, w2=0.95, w4=0.3).scaling == Scaling(1, 1.0)


def test_the_efficiency_is_relative_to_the_fewest_accelerators():
    # 8 take 0.3 s where 4 take 0.5 s: 0.5 * 4 / (0.3 * 8).
    found = measured(w4=0.5, w8=0.3)
    assert found.scaling == Scaling(8, 0.5 * 4 / (0.3 * 8))
    # Noise may make them faster than they can be.
    assert measured(w1=1.0, w2=0.4).scaling == Scaling(2, 1.0)


def test_a_measurement_is_read_back_and_shown():
    found = measured(w1=1.25, w2=0.7)
    assert MeasuredScaling.model_validate_json(found.model_dump_json()) == found
    assert str(found) == "a training step takes 1.25 s on 1 accelerator, 700 ms on 2 (89%)"
    assert str(measured(w4=0.05)) == "a training step takes 50 ms on 4 accelerators"
