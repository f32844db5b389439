"""Faults that pydantic finds, in plain words."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from autohier.faults import Fault, find_faults


class _Inner(BaseModel):
    size: int = 1


class _Settings(BaseModel):
    count: Annotated[int, Field(ge=1, lt=10)] = 1
    share: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.5
    flag: bool = False
    name: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    word: Literal["derived", "given"] = "given"
    number: Literal[2, 3] = 2
    sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=2)] = (1,)
    rule: Literal["auto", "all"] | tuple[Annotated[int, Field(ge=2)], ...] = "auto"
    inner: _Inner = _Inner()
    rows: tuple[_Inner, ...] = ()
    table: dict[str, int] = {}


def _texts(**values: object) -> list[str]:
    with pytest.raises(ValidationError, match="validation error") as caught:
        _Settings.model_validate(values)
    return [fault.text for fault in find_faults(caught.value)]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("count", "abc", "count must be a whole number, but got 'abc'"),
        ("count", 2.5, "count must be a whole number, but got 2.5"),
        ("count", None, "count must be a whole number, but got None"),
        ("count", 0, "count must be at least 1, but got 0"),
        ("count", 10, "count must be less than 10, but got 10"),
        ("count", "9" * 5000, "count must be a smaller whole number, but got '999999999999...9999999999999'"),
        ("share", "x", "share must be a number, but got 'x'"),
        ("share", 0, "share must be greater than 0, but got 0"),
        ("share", 1, "share must be at most 0.5, but got 1"),
        ("share", float("nan"), "share must be a finite number, but got nan"),
        ("flag", "maybe", "flag must be true or false, but got 'maybe'"),
        ("flag", [], "flag must be true or false, but got []"),
        ("name", True, 'name must be text, but got true: write "true"'),
        ("name", "", "name must have at least 1 character, but got ''"),
        ("name", "abcd", "name must have at most 3 characters, but got 'abcd'"),
        ("word", "drived", "word must be one of derived, given, but got 'drived': did you mean 'derived'?"),
        ("word", "x", "word must be one of derived, given, but got 'x'"),
        ("number", 4, "number must be 2 or 3, but got 4"),
        ("sizes", 3, "sizes must be a list, but got 3: write [3]"),
        ("sizes", "x", "sizes must be a list, but got 'x': write ['x']"),
        ("sizes", [], "sizes must hold at least 1 value, but got []"),
        ("sizes", [1, 2, 3], "sizes must hold at most 2 values, but got [1, 2, 3]"),
        ("sizes", [1, 0], "value 2 of sizes must be at least 1, but got 0"),
        # The list is empty only because its one value is wrong.
        ("sizes", [0], "value 1 of sizes must be at least 1, but got 0"),
        # A word or a list: the alternative that the value resembles is reported, or both.
        ("rule", "al", "rule must be one of auto, all, or a list, but got 'al': did you mean 'all'?"),
        ("rule", [3, 1], "value 2 of rule must be at least 2, but got 1"),
        ("inner", 3, "inner must be a table, but got 3: set one of its settings, e.g. inner.NAME = VALUE"),
        ("rows", [{}, {"size": "x"}], "size of rows 2 must be a whole number, but got 'x'"),
        ("table", {"a": "x"}, "table.a must be a whole number, but got 'x'"),
    ],
)
def test_a_fault_states_rule_value_and_hint(name: str, value: object, text: str) -> None:
    assert _texts(**{name: value}) == [text]


def test_every_fault_is_found() -> None:
    assert _texts(count=0, flag="x", sizes=[0, 0]) == [
        "count must be at least 1, but got 0",
        "flag must be true or false, but got 'x'",
        "value 1 of sizes must be at least 1, but got 0",
        "value 2 of sizes must be at least 1, but got 0",
    ]


def test_a_rule_that_is_a_sentence_follows_a_colon() -> None:
    assert Fault(("clips",), "value_error", "crop_px <= resize_px must hold").text == (
        "clips: crop_px <= resize_px must hold"
    )
    assert Fault((), "value_error", "must hold").text == "must hold"
