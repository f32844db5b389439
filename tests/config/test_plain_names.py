"""Rule for names that become part of a path or of a command."""

from __future__ import annotations

import pytest

from autohier.config.plain_names import check_plain_name


@pytest.mark.parametrize("name", ["a", "7", "My.clips_2-b"])
def test_letters_digits_and_marks_are_accepted(name: str) -> None:
    assert check_plain_name(name, marks="._-") == name


@pytest.mark.parametrize(
    ("name", "similar"),
    [("my clips", "my-clips"), ("../a/b", "a-b"), ("-x", "x"), ("_x", "x"), ("été 1", "t-1"), ("a\n", "a")],
)
def test_a_similar_name_is_suggested(name: str, similar: str) -> None:
    rule = r"^must begin with a letter or a digit and hold only letters, digits and '\.', '_' and '-', "
    with pytest.raises(ValueError, match=rf"(?s){rule}.*: write e\.g\. {similar}$"):
        check_plain_name(name, marks="._-")


def test_nothing_is_suggested_if_nothing_remains() -> None:
    with pytest.raises(ValueError, match=r"but got '\?'$"):
        check_plain_name("?", marks="-")


def test_long_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^must have at most 40 characters, but got 41$"):
        check_plain_name("a" * 41, marks="-", max_chars=40)
