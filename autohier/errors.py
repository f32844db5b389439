"""Errors, named by what the caller can do about them.

Every error states the rule that must hold, the value that broke it and a hint, on one line:

>>> raise InputError("the pruning ratio must lie in (0, 1)", got=1.5, hint="write e.g. 0.1")
Traceback (most recent call last):
autohier.errors.InputError: the pruning ratio must lie in (0, 1), but got 1.5: write e.g. 0.1
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import accumulate
from typing import Final, Literal

FailureClass = Literal[
    "out of memory", "not a number", "bad data", "disk full", "disk error", "lost process", "bug"
]
"""Class of a trial's failure; core.failures maps errors to classes."""
ENVIRONMENT_FAILURES: Final[frozenset[FailureClass]] = frozenset({"disk full", "disk error", "lost process"})
"""Failure classes that say nothing about a trial's config: the next driver runs such a trial again."""


_MAX_CHARS: Final = 500
_MAX_LIST_CHARS: Final = 400
_MAX_REASON_CHARS: Final = 120
_SLIPS: Final = (LookupError, TypeError, AttributeError, OverflowError, SyntaxError, RecursionError)
"""Errors of readers that damage surprises; their texts are about the reader, not about the file."""


class Whole(str):
    """Text that an error prints uncut, as each of its parts is bounded, e.g. a list of machines."""

    __slots__ = ()


def one_line(text: str) -> str:
    """Return untrusted text as one printable line of at most 500 characters, cut in the middle.

    A `Whole` text is not cut.
    """
    line = " ".join(text.split())
    return printable(line) if isinstance(text, Whole) else _cut_middle(printable(_cut_middle(line)))


def cause_text(error: BaseException) -> str:
    """Return an error of the system or of a library as a phrase: its cause and file, without its class."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename is not None else "")
    if isinstance(error, UnicodeDecodeError):
        return f"a byte that is not {error.encoding.upper()}, at position {error.start}"
    return str(error) or _in_words(type(error))


def damage_text(error: BaseException) -> str:
    """Return what is wrong with a file, from the error of the library that reads it, with a short reason.

    The names of a library's errors say nothing to users. Errors of the system, e.g. of permissions, stay.
    """
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return cause_text(error)
    what = "damaged content"
    if isinstance(error, EOFError):
        what = "an early end"
    elif isinstance(error, MemoryError):
        what = "more content than fits the memory"
    elif isinstance(error, UnicodeDecodeError):
        return cause_text(error)
    reason = one_line(str(getattr(error, "strerror", None) or " ".join(map(str, error.args))))
    if not reason or isinstance(error, _SLIPS) or " object at 0x" in reason:
        return what
    is_long = len(reason) > _MAX_REASON_CHARS
    return f"{what} ({reason[:_MAX_REASON_CHARS]}{'...' if is_long else ''})"


def _in_words(kind: type[BaseException]) -> str:
    """Return the name of a class of errors in words, e.g. "timeout error"; nothing else is known of it."""
    if issubclass(kind, EOFError):
        return "an early end"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


def printable(text: str) -> str:
    """Return a text with each unprintable character escaped, such as the surrogates in names of files."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _cut_middle(text: str) -> str:
    # The ends of a path are its most informative parts.
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS // 2]}...{text[3 - _MAX_CHARS // 2 :]}"


def _value_text(value: object) -> str:
    if isinstance(value, BaseException):
        return cause_text(value)
    return value if isinstance(value, str) else str(value)


def nearest(word: str, valid: list[str]) -> str:
    """Return a hint for a misspelt word: the nearest valid word, or all valid words.

    Upper and lower case, and ``-`` and ``_``, count as equal.
    """
    plain = {_without_case(name): name for name in valid}
    close = get_close_matches(_without_case(word), plain, n=1, cutoff=0.5)
    if close:
        return f"did you mean {plain[close[0]]!r}?"
    return f"valid are {_first_words(sorted(valid))}" if valid else "there is none to choose"


def _first_words(words: Sequence[str]) -> str:
    """Return words as a list; of a long list, those that fit into an error, and the number of the others."""
    if len(", ".join(words)) <= _MAX_LIST_CHARS:
        return ", ".join(words)
    num_shown = sum(end <= _MAX_LIST_CHARS for end in accumulate(len(word) + len(", ") for word in words))
    return f"{', '.join(words[:num_shown])} and {len(words) - num_shown} more"


def _without_case(word: str) -> str:
    return word.lower().replace("_", "-")


class AutohierError(Exception):
    """Base of all errors that a user can cause; the command line prints it on one line and exits with 2.

    Args:
        rule: the rule that must hold, as a sentence without its full stop.
        got: the value that broke the rule; None leaves it out of the text.
        hint: how to fix the error; an empty hint is left out of the text.
    """

    def __init__(self, rule: str, *, got: object = None, hint: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        text = one_line(self.rule)
        if self.got is not None:
            text = f"{text}, but got {one_line(_value_text(self.got))}"
        return f"{text}: {one_line(self.hint)}" if self.hint else text


class InputError(AutohierError):
    """A setting, an option or a file given by the user breaks a rule: fix it and call again."""


@contextmanager
def error_about(subject: str) -> Iterator[None]:
    """Prefix the rule of an InputError raised in the block with its subject; an empty subject adds nothing.

    Raises:
        InputError: with the rule ``SUBJECT: RULE``, if the block raises one.
    """
    try:
        yield
    except ManyInputsError as error:
        raise ManyInputsError((_about(subject, error.errors[0]), *error.errors[1:])) from error
    except InputError as error:
        raise _about(subject, error) from error


def _about(subject: str, error: InputError) -> InputError:
    rule = f"{subject}: {error.rule}" if subject else error.rule
    return InputError(rule, got=error.got, hint=error.hint)


def error_of(subject: str, faults: Sequence[str]) -> InputError:
    """Return the error about a file or a command that breaks several rules; no long list is cut.

    Args:
        subject: what has the faults, e.g. the name of a file.
        faults: at least one, each a sentence without its full stop.
    """
    first, *others = faults
    if not others:
        return InputError(f"{subject}: {first}")
    return ManyInputsError([InputError(f"{subject}: {first}"), *map(InputError, others)])


class InputFaults:
    """Faults of several inputs, collected so that a user sees all of them at once."""

    def __init__(self) -> None:
        self._errors: list[InputError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep an InputError that the block raises, and continue after it."""
        try:
            yield
        except ManyInputsError as error:
            self._errors.extend(error.errors)
        except InputError as error:
            self._errors.append(error)

    def check(self) -> None:
        """Check that no fault was found.

        Raises:
            InputError: the only fault, or one error with the texts of all of them.
        """
        errors = tuple({str(error): error for error in self._errors}.values())
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ManyInputsError(errors)


class ManyInputsError(InputError):
    """Several settings, options or files given by the user break rules."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        super().__init__(f"{len(errors)} faults: {'; '.join(map(str, errors))}")
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """Return all faults; each is one line of bounded length already."""
        return self.rule


class MissingDataError(AutohierError):
    """Data that a command needs are missing: prepare them, or pass their path."""


class ClipError(AutohierError):
    """One clip cannot be read: reject it with this reason and continue with the others."""


class TrialError(AutohierError):
    """A trial cannot continue: drop it and continue the sweep."""


class DivergedError(TrialError):
    """A loss or a weight is not finite; the trial's config causes it."""


class OutOfMemoryError(TrialError):
    """A stage does not fit the memory: make it smaller, or give it more memory."""


class LostProcessError(TrialError):
    """The process of a trial died: give it more memory, or a machine that stays up."""


class LostHeadError(AutohierError):
    """The head of the cluster does not answer: start the cluster again and resume."""


class RepeatedFailureError(AutohierError):
    """Consecutive trials of a sweep fail in the same way: fix the cause and resume."""


class StageDamagedError(AutohierError):
    """The files of a finished stage differ from the published ones: discard it and compute it again."""


class SweepBusyError(AutohierError):
    """Another driver holds this sweep: wait for it, or stop it first."""
