"""Check that code, docs and messages use plain modern English and the project's terms.

Usage: python tools/check_language.py [PATH ...]

Python files are checked in docstrings, comments, string literals and the names that they define;
TOML and Markdown files are checked as text. A line that quotes a word on purpose ends with
``# language: quote`` or, in Markdown, ``<!-- language: quote -->``. Exits with 1 if anything is found.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOTS: Final = (
    "autohier",
    "benchmarks",
    "docs",
    "examples",
    "tests",
    "tools",
    "README.md",
    "CONTRIBUTING.md",
)
_SUFFIXES: Final = {".py", ".toml", ".md"}
_QUOTED: Final = "language: quote"

PHRASES: Final[dict[str, str]] = {
    r"who(?:m)?(?:so)?ever": "name the process or person",
    r"whatever": "any",
    r"be it": "even if",
    r"mend(?:s|ed|ing)?": "fix",
    r"(?:is|are|was|were|be) told": "report, pass, receive",
    r"hears?|heard": "receive",
    r"spare[sd]?": "reuse, save",
    r"all (?:its|their) way": "complete",
    r"held up": "delayed",
    r"beside": "next to, apart from",
    r"as many as": "up to",
    r"of nobody": "without a person",
    r"(?:goes|go|went|gone) on": "continue, promote",
    r"anew|afresh": "again",
    r"heed(?:s|ed)?": "use, respect",
    r"stand-ins?": "surrogate",
    r"remed(?:y|ies)": "hint",
    r"made[ -]up": "synthetic",
    r"altogether": "global",
    r"by-layers?": "layerwise",
    r"whence|wherein|thereof|therein|hitherto": "from which, in which",
    r"so too": "also",
    r"who acts": "subject",
    r"as (?:he|it) likes": "any",
    r"tells?|told": "report, print, pass, say",
    r"nobody|somebody|everybody": "no subject, a process, all persons",
    r"wherever|where not": "if, whenever; otherwise",
    r"so many": "N, this number of",
    r"dealt": "split, distributed",
    r"strangers?": "unknown, unexpected",
    r"known settings?": "initial config",
    r"for want of": "without",
    r"(?:centi|milli)?metres?": "meters, as the spelling is American",
    r"neighbours?|behaviours?|favours?|licences?": "neighbor, behavior, favor, license",
    r"(?:normal|maxim|minim|regular|synchron|summar|serial|recogn|organ)is(?:e|es|ed|ing|ation)": "-ize",
}
"""Archaisms and retired terms, as regular expressions, and what to write instead."""

_STARTS: Final = re.compile(r"(?:What|How|Whether|Of|The same|Where|Who|Whom|Whose|That)\b")
_PHRASE: Final = re.compile(
    r"(?<![\w-])(?:" + "|".join(f"(?:{phrase})" for phrase in PHRASES) + r")(?![\w-])", re.IGNORECASE
)
_NAME_PARTS: Final = frozenset(
    [
        "told",
        "tell",
        "tells",
        "mend",
        "mends",
        "mended",
        "spare",
        "spared",
        "spares",
        "hears",
        "heard",
        "whoever",
        "whatever",
        "beside",
        "remedy",
        "remedies",
        "diary",
        "ledger",
        "breaker",
        "standin",
        "lesson",
        "climb",
        "anew",
        "heeds",
        "nobody",
        "somebody",
        "strangers",
    ]
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where the language rules are broken."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def check_text(path: Path, text: str, *, first_line: int = 1) -> Iterator[Finding]:
    """Yield the retired phrases in plain text, TOML or Markdown."""
    for number, line in enumerate(text.splitlines(), start=first_line):
        if _QUOTED not in line:
            for match in _PHRASE.finditer(line):
                yield Finding(path, number, f"{match[0]!r}: write {_advice(match[0])}")


def check_python(path: Path, source: str) -> Iterator[Finding]:
    """Yield findings in the docstrings, comments, strings and defined names of a Python file.

    Raises:
        SyntaxError: if the file is not Python.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in {tokenize.STRING, tokenize.COMMENT}:
            last = lines[token.end[0] - 1]
            if _QUOTED not in last:
                yield from check_text(path, token.string, first_line=token.start[0])
    for node in ast.walk(tree):
        yield from _check_node(path, node)


def _check_node(path: Path, node: ast.AST) -> Iterator[Finding]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node)
        if docstring and (start := _STARTS.match(docstring)):
            line = node.body[0].lineno
            yield Finding(
                path, line, f"a docstring begins with {start[0]!r}: begin with a verb or a noun phrase"
            )
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _check_name(path, node.name, node.lineno)
    elif isinstance(node, ast.arg):
        yield from _check_name(path, node.arg, node.lineno)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield from _check_name(path, node.id, node.lineno)


def _check_name(path: Path, name: str, line: int) -> Iterator[Finding]:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    for word in sorted(_NAME_PARTS.intersection(words)):
        yield Finding(path, line, f"the name {name!r} contains {word!r}: use a term of the field")


def _advice(found: str) -> str:
    return next(advice for phrase, advice in PHRASES.items() if re.fullmatch(phrase, found, re.IGNORECASE))


def find_files(paths: list[Path]) -> Iterator[Path]:
    """Yield the files to check below some paths, in order."""
    for path in paths:
        candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in candidates if file.suffix in _SUFFIXES and file.is_file())


def main() -> int:
    """Print what is found in the given paths, or in the whole project; return the exit code."""
    given = [Path(argument) for argument in sys.argv[1:]] or [
        Path(root) for root in _ROOTS if Path(root).exists()
    ]
    own = Path(__file__).resolve()
    findings: list[Finding] = []
    for file in find_files(given):
        if file.resolve() != own:
            check = check_python if file.suffix == ".py" else check_text
            findings += check(file, file.read_text("utf-8"))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
