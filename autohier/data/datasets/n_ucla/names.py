"""Parser of the names of N-UCLA files and folders, and the names of the classes.

Copies of the dataset name videos differently, so numbers are read in any order: ``a01_s02_e00_c01``,
``v01_s02_e00_a01``, ``v01_s02_e00`` in a folder ``a01``, ``1`` or ``pick up with one hand``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

UCLA_ACTIONS: Final = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
"""Class names by action number; labels number them from 0 without gaps."""

UCLA_VIEWS: Final = (1, 2, 3)

_TOKEN = re.compile(
    r"(?<![A-Za-z])(action|subject|episode|view|camera|cam|[asevc])[ _-]?([0-9]{1,2})(?![0-9])", re.IGNORECASE
)
_NUMBERED_ACTION = re.compile(r"(?:a|action)?[ _-]?([0-9]{1,2})(?:[^0-9].*)?", re.IGNORECASE)
_LETTERS: Final = {name.replace(" ", ""): action for action, name in UCLA_ACTIONS.items()}
_NO_VIDEO: Final = ("depth", "skeleton")
"""Words in the names of files other than the RGB video."""


class UclaNumber(NamedTuple):
    """Numbers of a clip; as text, the clip's id."""

    action: int
    subject: int
    replication: int
    view: int

    def __str__(self) -> str:
        return f"a{self.action:02}_s{self.subject:02}_e{self.replication:02}_v{self.view:02}"

    @property
    def is_known(self) -> bool:
        """True if the dataset has this class and this view."""
        return self.action in UCLA_ACTIONS and self.view in UCLA_VIEWS


def read_number(stem: str, folders: Sequence[str]) -> UclaNumber | None:
    """Return the numbers of a file's clip; None if a number is missing or contradicted.

    Args:
        stem: the file's name without its ending; it takes precedence over folders.
        folders: the names of its folders, the nearest first. A folder is read if its name consists of numbers
            only, e.g. ``v02``; the nearest also if words follow the number of an action.
    """
    numbers, rest = _read(stem)
    if numbers is None or any(word in rest for word in _NO_VIDEO):
        return None
    for folder in folders:
        more, rest = _read(folder)
        if more and (not rest or rest in _LETTERS):
            numbers = more | numbers
    if "a" not in numbers and folders and (numbered := _NUMBERED_ACTION.fullmatch(folders[0])):
        numbers["a"] = int(numbered[1])
    if numbers.keys() != {*"asev"}:
        return None
    return UclaNumber(numbers["a"], numbers["s"], numbers["e"], numbers["v"])


def _read(name: str) -> tuple[dict[str, int] | None, str]:
    """Return the numbers in a name by letter (None if two contradict), and the remaining letters."""
    rest = re.sub(r"[^a-z]", "", _TOKEN.sub(" ", name).lower())
    numbers = {"a": _LETTERS[rest]} if rest in _LETTERS else {}
    for word, number in _TOKEN.findall(name):
        letter = word[0].lower().replace("c", "v")
        if numbers.setdefault(letter, int(number)) != int(number):
            return None, rest
    return numbers, rest
