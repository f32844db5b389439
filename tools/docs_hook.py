"""MkDocs hook: fill the generated parts of the documentation when the site is built.

A page holds a marker on a line of its own::

    <!-- generate: cli -->          a reference written by this project's code
    <!-- include: CHANGELOG.md -->  a file of the repository, without its first heading
    <!-- code: tools/docs_hook.py -->  a source file, as a fenced block under its path

Generated text is never committed, so it cannot be out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

_TOOLS = Path(__file__).resolve().parent
if str(_TOOLS) not in sys.path:
    sys.path.insert(0, str(_TOOLS))

from reference_cli import write_cli  # noqa: E402  found through the line above
from reference_config import write_config, write_launch  # noqa: E402
from reference_output import write_output  # noqa: E402
from reference_records import write_records  # noqa: E402

GENERATORS: dict[str, Callable[[], str]] = {
    "cli": write_cli,
    "search-space": write_config,
    "launch": write_launch,
    "records": write_records,
    "output": write_output,
}
_MARKER = re.compile(r"^<!-- (generate|include|code): (\S+) -->$", re.MULTILINE)
_LANGUAGES = {".py": "python", ".toml": "toml"}
_TITLE = re.compile(r"\A# .*\n+")


def fill_markers(markdown: str) -> str:
    """Replace each marker of a page by the text that it stands for.

    Raises:
        KeyError: if no generator has the name, or a source file is in an unknown language.
        FileNotFoundError: if a file does not exist.
    """
    return _MARKER.sub(_text, markdown)


def _text(marker: re.Match[str]) -> str:
    kind, name = marker.groups()
    if kind == "generate":
        return GENERATORS[name]()
    text = (_TOOLS.parent / name).read_text("utf-8")
    if kind == "code":
        language = _LANGUAGES[Path(name).suffix]
        return f'```{language} title="{name}"\n{text.rstrip()}\n```'
    return _TITLE.sub("", text)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill the markers of a page; called by MkDocs for each page."""
    return fill_markers(markdown)
