"""Subjects of a user's clips: from a table ``subjects.csv``, from a pattern, or from what ids contain."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from autohier.data.datasets.common.user_table import read_user_table, separator_hint, table_of
from autohier.errors import InputError

SUBJECTS: Final = "subjects.csv"
_COLUMNS: Final = ("clip", "subject")


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """Subjects of clips as the user states them."""

    by_clip: Mapping[str, str] = field(default_factory=dict)
    """Subject of each clip in the table; empty without a table."""
    pattern: re.Pattern[str] | None = None
    """Regular expression whose group finds the subject in an id; None if the user gave none."""

    @property
    def is_given(self) -> bool:
        """Return True if the user states subjects, so that ids are not parsed for them."""
        return self.pattern is not None or bool(self.by_clip)

    def of(self, clip_ids: Collection[str]) -> dict[str, str]:
        """Return the subject of each clip.

        Raises:
            InputError: if a clip has none.
        """
        found = {clip_id: self.find(clip_id) for clip_id in clip_ids}
        missing = sorted(clip_id for clip_id, subject in found.items() if not subject)
        if missing:
            where = f"match --subject-pattern {self.pattern.pattern}" if self.pattern else f"be in {SUBJECTS}"
            raise InputError(
                f"every clip must {where}",
                got=f"{len(missing)} of {len(found)} clips that do not, e.g. {missing[0]}",
                hint="change the pattern" if self.pattern else self._missing_hint(),
            )
        return found

    def _missing_hint(self) -> str:
        example = next(iter(self.by_clip), "")
        named = f"; the first one in the table is {example}" if example else ""
        return f"add a line CLIP,SUBJECT for each, with the clip's id{named}"

    def find(self, clip_id: str) -> str:
        """Return the subject of a clip; empty if it has none."""
        if self.pattern is None:
            return self.by_clip.get(clip_id, "")
        match = self.pattern.search(clip_id)
        return match[1] or "" if match else ""


def read_subjects(source: Path, pattern: str | None) -> SubjectNames:
    """Return the subjects that the user states.

    Args:
        source: folder or file of the clips; the table is in the folder, or next to the file.
        pattern: regular expression with one group; None reads the table if there is one.

    Raises:
        InputError: if the pattern or the table breaks a rule.
    """
    if pattern is not None:
        return SubjectNames(pattern=_compile(pattern))
    table = table_of(source, SUBJECTS)
    return SubjectNames(by_clip=_read_table(table)) if table.is_file() else SubjectNames()


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(
            "--subject-pattern must be a regular expression",
            got=f"{pattern!r}: {error}",
            hint="e.g. '_s(\\d+)_'",
        ) from error
    if compiled.groups != 1:
        raise InputError(
            "--subject-pattern must have one group, the subject",
            got=f"{pattern!r} with {compiled.groups}",
            hint="put the subject in parentheses, e.g. '_s(\\d+)_'",
        )
    return compiled


def _read_table(path: Path) -> dict[str, str]:
    table = read_user_table(path)
    head = [name.lower() for name in table.columns]
    if not set(_COLUMNS) <= set(head):
        raise InputError(
            f"{path} must have the columns clip and subject",
            got=", ".join(head) or "none",
            hint=separator_hint(head),
        )
    clip, subject = (head.index(name) for name in _COLUMNS)
    subjects: dict[str, str] = {}
    for number, cells in table.rows:
        if len(cells) <= max(clip, subject) or not cells[clip] or not cells[subject]:
            raise InputError(f"line {number} of {path} must name a clip and its subject", got=",".join(cells))
        if subjects.setdefault(cells[clip], cells[subject]) != cells[subject]:
            raise InputError(f"{path} must give each clip one subject", got=f"two of {cells[clip]}")
    return subjects
