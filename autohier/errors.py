"""What can go wrong, named by what the caller can do about it.

Every error states the rule that must hold, the value that broke it and the remedy, on one line:

>>> raise InputError("the pruning ratio must lie in (0, 1)", got=1.5, remedy="write e.g. 0.1")
Traceback (most recent call last):
autohier.errors.InputError: the pruning ratio must lie in (0, 1), but got 1.5: write e.g. 0.1
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

FailureClass = Literal["out of memory", "not a number", "bad data", "disk full", "lost process", "bug"]
"""How a trial can fail; core.failures says which errors belong to which."""


_MAX_CHARS: Final = 500


def one_line(text: str) -> str:
    """A text that may come from a stranger's file as it can be told: printable, and at most 500 long."""
    return _cut_middle(printable(_cut_middle(" ".join(text.split()))))


def printable(text: str) -> str:
    """A text in which whatever cannot be printed is written out, as halves of characters in names are."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _cut_middle(text: str) -> str:
    # A path says most at its ends.
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS // 2]}...{text[3 - _MAX_CHARS // 2 :]}"


class AutohierError(Exception):
    """Base of all errors a user can cause; the command line prints it on one line and exits with 2.

    Args:
        rule: what must hold, as a sentence without its full stop.
        got: the value that broke the rule; left out of the text where None.
        remedy: what to do about it; left out of the text where empty.
    """

    def __init__(self, rule: str, *, got: object = None, remedy: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.got = got
        self.remedy = remedy

    def __str__(self) -> str:
        text = one_line(self.rule)
        if self.got is not None:
            text = f"{text}, but got {one_line(str(self.got))}"
        return f"{text}: {one_line(self.remedy)}" if self.remedy else text


class InputError(AutohierError):
    """A setting, an option or a file given by the user breaks a rule: mend it and call again."""


@contextmanager
def told_of(what: str) -> Iterator[None]:
    """Let an InputError that ends the block begin with what it is about; an empty text changes nothing."""
    try:
        yield
    except InputError as error:
        rule = f"{what}: {error.rule}" if what else error.rule
        raise InputError(rule, got=error.got, remedy=error.remedy) from error


class MissingDataError(AutohierError):
    """Data that a command needs are not where it looks: prepare them or say where they are."""


class ClipError(AutohierError):
    """One clip cannot be read: it is set aside with this reason and the rest goes on."""


class TrialError(AutohierError):
    """This trial cannot go on: drop it, keep the sweep."""


class DivergedError(TrialError):
    """A loss or a weight is not a finite number: the setting is to blame."""


class OutOfMemoryError(TrialError):
    """A stage does not fit the memory: make it smaller, or give it more."""


class LostProcessError(TrialError):
    """The process that worked on it died: give it more memory, or a machine that stays."""


class RepeatedFailureError(AutohierError):
    """Trial after trial of a sweep fails in the same way: mend the cause and resume."""


class StageDamagedError(AutohierError):
    """A finished stage's files are not what was published: set it aside and compute it again."""


class SweepBusyError(AutohierError):
    """Another driver holds this sweep: wait for it, or stop it first."""
