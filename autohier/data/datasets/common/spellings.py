"""Names that differ in their spelling only, which are most likely one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from autohier.data.datasets.base import DatasetWarning


def warn_spellings(kind: str, names: Iterable[str]) -> Iterator[DatasetWarning]:
    """Warn about names that differ in case or blanks only.

    Args:
        kind: what the names name, in the plural.
        names: the names, with composed letters; may repeat.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in set(names):
        spellings["".join(name.split()).casefold()].add(name)
    for several in sorted(sorted(alike) for alike in spellings.values() if len(alike) > 1):
        are_blank = len({name.casefold() for name in several}) > 1
        shown = ", ".join(map(repr, several) if are_blank else several)
        yield DatasetWarning(
            f"the names of {len(several)} {kind} differ in {'blanks' if are_blank else 'case'} only: {shown}",
            f"spell them alike if they are one; they are read as different {kind}",
        )
