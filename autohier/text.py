"""Text of numbers, durations, times, names and commands, for all messages and reports."""

from __future__ import annotations

import codecs
import io
import logging
import os
import re
import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TextIO

_READABLE: Final = "autohier-readable"
_SUBSTITUTES: Final = {"≈": "~", "→": "->", "─": "-", "…": "..."}
"""ASCII for the characters of autohier's own texts."""
_SAFE_WORD: Final = re.compile(r"[\w@%+=:,./-]+")
_MEAN_IN_DOUBLE_QUOTES: Final = frozenset('"$`\\!')
_MINUTE_S: Final = 60
_MINUTES_PER_HOUR: Final = 60
_SHOWN_IN_DAYS_H: Final = 48
_HOURS_PER_DAY: Final = 24
_CONTROLS: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that a terminal obeys instead of showing them, those that reverse the order of text, and
surrogates, which no encoding holds. Line breaks and tabs are text."""
_MAX_NAME_CHARS: Final = 100
_RESERVED: Final = '/\\:*?"<>|'
"""Characters that file systems reserve."""


def plural(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 trial", "2 trials".

    Args:
        number: a count.
        one: noun after 1.
        many: noun after any other number; by default ``one`` with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listing(words: Sequence[str], last: str = "and") -> str:
    """Return words as an enumeration: "a", "a and b", "a, b and c"."""
    *others, final = words or ("",)
    return f"{', '.join(others)} {last} {final}" if others else final


def duration_text(duration_s: float) -> str:
    """Return a rounded duration: "45 s", "3 min", "2 h 05 min" or "3.4 days"."""
    if round(duration_s) < _MINUTE_S:
        return f"{duration_s:.0f} s"
    minutes = round(duration_s / _MINUTE_S)
    if minutes < _MINUTES_PER_HOUR:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, _MINUTES_PER_HOUR)
    if hours < _SHOWN_IN_DAYS_H:
        return f"{hours} h {minutes:02d} min"
    return f"{(hours + minutes / _MINUTES_PER_HOUR) / _HOURS_PER_DAY:,.1f} days"


def time_text(at: datetime | str) -> str:
    """Return a time in UTC: "2026-03-01 12:00 UTC".

    Args:
        at: time in UTC, or its ISO text.
    """
    return f"{datetime.fromisoformat(at) if isinstance(at, str) else at:%Y-%m-%d %H:%M} UTC"


def shown(text: str) -> str:
    """Return a text in which control characters, e.g. those of a terminal's escape sequences, are escaped.

    Names of classes, clips and files come from data, and may hold anything.
    """
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def file_name(text: str) -> str:
    """Return a name as the name of a file: not hidden, in no other folder, at most 100 characters."""
    plain = "".join(char if char.isprintable() and char not in _RESERVED else "_" for char in text)
    return plain.lstrip(". ")[:_MAX_NAME_CHARS] or "_"


class EscapingFormatter(logging.Formatter):
    """Formatter that escapes control characters, which names in messages and tracebacks may hold."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; see `logging.Formatter.format`."""
        return shown(super().format(record))


def accept_any_text(stream: TextIO | None) -> None:
    """Let a stream of text write characters that its encoding lacks in another form, instead of raising.

    Results must not be lost because a terminal or a log is not in UTF-8, or a name of a file is not.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_READABLE)


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    chars = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(char) or ascii(char)[1:-1] for char in chars), error.end


codecs.register_error(_READABLE, _substitute)


def shell_words(*words: object) -> str:
    """Return words, e.g. of a command, as text that a shell splits into the same words."""
    return " ".join(_shell_word(str(word)) for word in words)


def _shell_word(word: str) -> str:
    if not word.isprintable():  # e.g. the bytes of a name that is not UTF-8
        return "$'" + "".join(_escaped(byte) for byte in os.fsencode(word)) + "'"
    if _SAFE_WORD.fullmatch(word):
        return word
    # In messages, commands stand in single quotes.
    return shlex.quote(word) if _MEAN_IN_DOUBLE_QUOTES.intersection(word) else f'"{word}"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    return char if char.isascii() and char.isprintable() and char not in "'\\" else f"\\x{byte:02x}"
