"""Which clip of N-UCLA a file holds, as its name and its folders tell it, and the names of the classes.

Copies differ in how they name videos, so that numbers are read wherever they stand: ``a01_s02_e00_c01``,
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
"""Class names by the numbers in file names; labels count them from 0 without the gaps."""

UCLA_VIEWS: Final = (1, 2, 3)

_TOKEN = re.compile(
    r"(?<![A-Za-z])(action|subject|episode|view|camera|cam|[asevc])[ _-]?([0-9]{1,2})(?![0-9])", re.IGNORECASE
)
_NUMBERED_ACTION = re.compile(r"(?:a|action)?[ _-]?([0-9]{1,2})(?:[^0-9].*)?", re.IGNORECASE)
_LETTERS: Final = {name.replace(" ", ""): action for action, name in UCLA_ACTIONS.items()}
_NO_VIDEO: Final = ("depth", "skeleton")
"""In the names of what is filmed beside the video."""


class UclaNumber(NamedTuple):
    """What the name of a clip says; its text is the clip's id."""

    action: int
    subject: int
    replication: int
    view: int

    def __str__(self) -> str:
        return f"a{self.action:02}_s{self.subject:02}_e{self.replication:02}_v{self.view:02}"

    @property
    def is_known(self) -> bool:
        """Whether there is such a class and such a view."""
        return self.action in UCLA_ACTIONS and self.view in UCLA_VIEWS


def read_number(stem: str, folders: Sequence[str]) -> UclaNumber | None:
    """The clip of a file; None where its names do not tell, or contradict themselves.

    Args:
        stem: the file's name without its ending. What it says holds against what folders say.
        folders: the names of those that it lies in, the nearest first. They count where they say nothing
            else, as ``v02``; the nearest also with other words after the number of an action.
    """
    told, rest = _read(stem)
    if told is None or any(word in rest for word in _NO_VIDEO):
        return None
    for folder in folders:
        more, rest = _read(folder)
        if more and (not rest or rest in _LETTERS):
            told = more | told
    if "a" not in told and folders and (numbered := _NUMBERED_ACTION.fullmatch(folders[0])):
        told["a"] = int(numbered[1])
    if told.keys() != {*"asev"}:
        return None
    return UclaNumber(told["a"], told["s"], told["e"], told["v"])


def _read(name: str) -> tuple[dict[str, int] | None, str]:
    """The numbers in a name by their letters, none where two contradict each other; its other letters."""
    rest = re.sub(r"[^a-z]", "", _TOKEN.sub(" ", name).lower())
    told = {"a": _LETTERS[rest]} if rest in _LETTERS else {}
    for word, number in _TOKEN.findall(name):
        letter = word[0].lower().replace("c", "v")
        if told.setdefault(letter, int(number)) != int(number):
            return None, rest
    return told, rest
