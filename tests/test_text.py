"""Text of counts, durations, times and commands."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from autohier.text import accept_any_text, duration_text, plural, shell_words, time_text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        *((0.4, "0 s"), (59, "59 s"), (59.7, "1 min"), (150, "2 min"), (3599, "1 h 00 min")),
        *((3600, "1 h 00 min"), (7500, "2 h 05 min"), (47.9 * 3600, "47 h 54 min"), (60 * 3600, "2.5 days")),
    ],
)
def test_durations_are_rounded(duration_s: float, text: str) -> None:
    assert duration_text(duration_s) == text


def test_nouns_agree_with_their_number() -> None:
    assert [plural(number, "trial") for number in (0, 1, 1200)] == ["0 trials", "1 trial", "1,200 trials"]
    assert plural(2, "pass", "passes") == "2 passes"


def test_times_are_in_one_format() -> None:
    assert time_text("2026-03-01T12:00:09+00:00") == "2026-03-01 12:00 UTC"
    assert time_text(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) == "2026-03-01 12:00 UTC"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("sweeps/a-1.b", "sweeps/a-1.b"),
        ("demo:t0007", "demo:t0007"),
        ("my sweeps/a", '"my sweeps/a"'),
        ("", '""'),
        ("é", "é"),
        ("~/a", '"~/a"'),
        ("a;rm b", '"a;rm b"'),
        ("it's", '"it\'s"'),
        ("a $b", "'a $b'"),
        ("a\"'b", "'a\"'\"'\"'b'"),
        ("caf\udce9 '1", r"$'caf\xe9 \x271'"),
        ("a\nb\\", r"$'a\x0ab\x5c'"),
    ],
)
def test_words_are_quoted_for_a_shell(word: str, text: str) -> None:
    assert shell_words("autohier", word) == f"autohier {text}"
    if shell := shutil.which("bash"):
        echoed = subprocess.run([shell, "-c", f"printf %s {text}"], capture_output=True, check=True).stdout
        assert echoed == os.fsencode(word)


def test_characters_that_an_encoding_lacks_are_written_otherwise() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    accept_any_text(stream)
    stream.write("≈ 2 ─ é")
    stream.flush()
    assert stream.buffer.getvalue() == b"~ 2 - \\xe9"  # type: ignore[attr-defined]
    accept_any_text(None)  # no output
    accept_any_text(io.StringIO())  # of a notebook: takes any text
