"""Rule for names that become part of a path or of a command."""

from __future__ import annotations

import re
from typing import Final

from autohier.text import listing

_MAX_CHARS: Final = 100


def is_plain_name(name: str, *, marks: str, max_chars: int = _MAX_CHARS) -> bool:
    """Return True if a name passes `check_plain_name`."""
    is_short = len(name) <= max_chars
    return is_short and re.fullmatch(f"[A-Za-z0-9][A-Za-z0-9{re.escape(marks)}]*", name) is not None


def check_plain_name(name: str, *, marks: str, max_chars: int = _MAX_CHARS) -> str:
    """Return a name that consists of letters and digits of ASCII and some marks.

    Args:
        name: the name.
        marks: other characters that it may hold, though not begin with.
        max_chars: longest name.

    Raises:
        ValueError: if it breaks the rule; names a similar name that does not.
    """
    if len(name) > max_chars:
        raise ValueError(f"must have at most {max_chars} characters, but got {len(name)}")
    if is_plain_name(name, marks=marks, max_chars=max_chars):
        return name
    similar = re.sub(f"[^A-Za-z0-9{re.escape(marks)}]+", "-", name).strip("-").lstrip(marks)
    hint = f": write e.g. {similar}" if similar else ""
    raise ValueError(
        "must begin with a letter or a digit and hold only letters, digits and "
        f"{listing([f'{mark!r}' for mark in marks])}, but got {name!r}{hint}"
    )
