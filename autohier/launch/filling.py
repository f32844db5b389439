"""Templates of launch files, and how values are filled in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Final

_PLACE: Final = re.compile(r"@\{(\w+)\}")
_WHOLE_LINE: Final = re.compile(r"[ \t]*@\{(\w+)\}\n")


class Verbatim(str):
    """Text that is inserted as it is, because its parts are quoted already."""

    __slots__ = ()


def shell_list(words: Iterable[object]) -> Verbatim:
    """Return words that a shell reads as they are."""
    return Verbatim(" ".join(shlex.quote(str(word)) for word in words))


def quote_for_yaml(value: object) -> str:
    """Return a value as YAML on one line: YAML reads JSON."""
    return json.dumps(value, ensure_ascii=False)


def read_template(name: str) -> str:
    """Return the text of a template, e.g. ``slurm/job.sh``."""
    return files("autohier.launch").joinpath("templates", *name.split("/")).read_text("utf-8")


def fill(template: str, values: Mapping[str, object], *, quote: Callable[[object], str]) -> str:
    """Return a template with its places, ``@{name}``, filled in.

    A line that consists of a place only is left out if its value is empty.

    Args:
        template: text of the template.
        values: value of each place.
        quote: returns a value as the language of the template writes it; a `Verbatim` is inserted as it is.

    Raises:
        KeyError: if a place has no value.
    """

    def text(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if isinstance(value, Verbatim) else quote(value)

    # Line by line, so that a value that looks like a place is not filled in itself.
    lines = template.splitlines(keepends=True)
    kept = (line for line in lines if not ((whole := _WHOLE_LINE.fullmatch(line)) and values[whole[1]] == ""))
    return "".join(_PLACE.sub(text, line) for line in kept)


def quote_for_shell(value: object) -> str:
    """Return a value as one word of a shell, also if it is empty."""
    return shlex.quote(str(value))
