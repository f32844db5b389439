"""Fenced blocks of the README and the documentation, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"(?:^<!-- needs: (?P<needs>[a-z]+) -->\n)?^```(?P<language>\S*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"\s+#\s.*$")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    needs: str | None
    """Need that keeps a test from running it, e.g. data; None if it runs anywhere."""
    body: str

    @property
    def name(self) -> str:
        """Page and line, as a test's id."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Lines after a ``$``, without their comments."""
        lines = (line[2:] for line in self.body.splitlines() if line.startswith("$ "))
        return [_COMMENT.sub("", line) for line in lines]


def pages() -> list[Path]:
    """Return the README, the guide for contributors and all pages of the documentation."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def find_blocks(text: str, page: str = "page.md") -> list[Block]:
    """Return the fenced blocks of a text."""
    return [
        Block(
            page,
            text[: fence.start()].count("\n") + 1,
            fence["language"],
            fence["needs"],
            fence["body"],
        )
        for fence in _FENCE.finditer(text)
    ]


def all_blocks(language: str) -> list[Block]:
    """Return the blocks of all pages in one language."""
    found = (
        block for page in pages() for block in find_blocks(page.read_text(), str(page.relative_to(ROOT)))
    )
    return [block for block in found if block.language == language]


def words_of(command: str) -> list[str]:
    """Split a command into words, without the variables set in front of it."""
    words = shlex.split(command)
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return words
