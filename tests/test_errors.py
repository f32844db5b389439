"""Errors state rule, value and hint on one line, and survive pickling."""

import errno
import pickle
import zlib
from pathlib import Path

import pytest

from autohier.errors import InputError, Whole, cause_text, damage_text, error_about, error_of, nearest


def test_rule_value_and_hint():
    error = InputError("the ratio must lie in [0, 1)", got=1.5, hint="write e.g. 0.1")
    assert str(error) == "the ratio must lie in [0, 1), but got 1.5: write e.g. 0.1"


def test_line_breaks_in_the_value_become_blanks():
    assert str(InputError("a file must be complete", got="line one\nline two")) == (
        "a file must be complete, but got line one line two"
    )


def test_unprintable_characters_are_escaped():
    error = InputError("a name must be of letters", got="a\x1b[31m\x00\u2028b\ud800 \u00e9")
    assert str(error) == "a name must be of letters, but got a\\x1b[31m\\x00 b\\ud800 \u00e9"


@pytest.mark.parametrize("letter", ["x", "\x00", "\U0010ffff"])
def test_a_long_value_is_shortened_to_its_ends(letter):
    error = InputError("a rule", got=f"first{letter * 10**6}last", hint=f"see {letter * 10**6}")
    _, got = str(error).split(", but got ")
    value, hint = got.split(": ")
    assert len(value) == len(hint) == 500
    assert value.startswith("first")
    assert value.endswith("last")
    assert "..." in value


def test_no_fault_of_a_long_list_is_cut_out():
    faults = [f"setting {number} must be smaller{'!' * 100}" for number in range(9)]
    with pytest.raises(InputError, match="9 faults: ") as caught, error_about("trial 3"):
        raise error_of("mine.toml", faults)
    assert str(caught.value) == f"9 faults: trial 3: mine.toml: {'; '.join(faults)}"
    assert str(error_of("mine.toml", faults[:1])) == f"mine.toml: {faults[0]}"


def test_a_value_of_bounded_parts_is_not_cut():
    names = ", ".join(f"gpu{number:02}" for number in range(99))
    error = InputError("all must answer", got=Whole(f"{names}\n\x00"), hint=Whole(names))
    assert str(error) == f"all must answer, but got {names} \\x00: {names}"


def test_pickling_keeps_rule_value_and_hint():
    error = pickle.loads(pickle.dumps(InputError("rule", got=3, hint="fix it")))
    assert (str(error), error.got) == ("rule, but got 3: fix it", 3)


def test_case_and_dashes_do_not_matter_for_the_nearest_word() -> None:
    assert nearest("UTD-MHAD", ["utd_mhad", "ntu60"]) == "did you mean 'utd_mhad'?"
    assert nearest("utd_mhad", ["utd-mhad", "ntu60"]) == "did you mean 'utd-mhad'?"
    assert nearest("zz", ["b", "a"]) == "valid are a, b"
    assert nearest("zz", []) == "there is none to choose"


def test_long_lists_of_valid_words_are_cut_between_words() -> None:
    names = [f"class {number:02}" for number in range(50)]  # 10 characters each, with comma and blank
    assert nearest("zz", names[:40]) == f"valid are {', '.join(names[:40])}"  # 398 characters
    assert nearest("zz", names) == f"valid are {', '.join(names[:40])} and 10 more"


def test_errors_of_the_system_state_the_cause_and_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none") as caught:
        (tmp_path / "none").read_bytes()
    cause = f"No such file or directory: {tmp_path / 'none'}"
    assert cause_text(caught.value) == cause
    assert str(InputError("a list must be readable", got=caught.value, hint="check it")) == (
        f"a list must be readable, but got {cause}: check it"
    )
    with pytest.raises(UnicodeDecodeError, match="invalid") as decoded:
        b"ab\xff".decode()
    assert cause_text(decoded.value) == "a byte that is not UTF-8, at position 2"
    assert cause_text(ValueError("3 rows, not 2")) == "3 rows, not 2"
    assert cause_text(EOFError()) == "an early end"
    assert cause_text(NotImplementedError()) == "not implemented error"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EOFError(), "an early end"),
        (EOFError("within an element"), "an early end (within an element)"),
        (ValueError("cannot reshape array"), "damaged content (cannot reshape array)"),
        (zlib.error("Error -3"), "damaged content (Error -3)"),
        (MemoryError(), "more content than fits the memory"),
        (KeyError("keypoint"), "damaged content"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "a byte that is not UTF-8, at position 0"),
        (UnicodeError("first\nsecond"), "damaged content (first second)"),
        (ValueError("x" * 500), f"damaged content ({'x' * 120}...)"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.npz"),
            "No such file or directory: a.npz",
        ),
        (OSError("cannot identify image file"), "damaged content (cannot identify image file)"),
    ],
    ids=repr,
)
def test_damage_is_said_without_the_names_of_errors(error: Exception, text: str) -> None:
    assert damage_text(error) == text
