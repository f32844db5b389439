"""Faults that pydantic finds, in the words of this project: the rule, the value and a hint."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from autohier.errors import nearest

_RULES: Final = {
    "missing": "must be given",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length}",
    "string_too_long": "must have at most {max_length}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}
"""Rule by pydantic's name of the fault."""
_COUNTED: Final = {
    "string_too_short": "character",
    "string_too_long": "character",
    "too_short": "value",
    "too_long": "value",
}
"""Noun that follows the number in a rule."""
_CHOICES: Final = {"literal_error", "enum"}
_OWN_TEXT: Final = {"value_error", "assertion_error"}
_BRANCH: Final = re.compile(r"(literal|tuple|list|constrained-\w+)(\[.*)?")
"""Part of a location that names an alternative of a type, not a setting."""
_PERCENT: Final = 100
_KEY: Final = "[key]"


class SeveralFaultsError(ValueError):
    """Faults that one validator finds, each a sentence that stands alone.

    Args:
        texts: at least one fault.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        super().__init__("; ".join(self.texts))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a value that a user wrote."""

    location: tuple[int | str, ...]
    """Names of the settings down to the faulty one, and positions in lists."""
    kind: str
    """Pydantic's name of the fault, e.g. "missing"."""
    rule: str
    """Rule that the setting breaks, e.g. "must be true or false", or a whole sentence."""
    got: str = ""
    """Value as text; empty if the rule names it."""
    hint: str = ""
    """How to fix it; may be empty."""

    @property
    def subject(self) -> str:
        """Name of the setting, e.g. "pass_1.epochs" or "value 2 of search.ratios"."""
        return _subject(self.location)

    @property
    def text(self) -> str:
        """The fault as one clause."""
        joint = " " if self.rule.startswith("must ") else ": "
        clause = f"{self.subject}{joint}{self.rule}" if self.subject else self.rule
        clause += f", but got {self.got}" if self.got else ""
        return f"{clause}: {self.hint}" if self.hint else clause


def find_faults(error: ValidationError) -> list[Fault]:
    """Return the faults behind a validation error, without those that only follow from another.

    Of the alternatives of a type, e.g. a word or a list of numbers, the one that fits best is reported.
    """
    faults = [
        fault
        for each in error.errors(include_url=False)
        for fault in _describe(
            tuple(each["loc"]), each["type"], each["msg"], each.get("ctx", {}), each["input"]
        )
    ]
    chosen: list[Fault] = []
    for fault in faults:
        deeper = [other for other in faults if _is_below(other.location, fault.location)]
        if deeper:
            continue
        same = [one for one in chosen if one.location == fault.location]
        if same and fault.kind != same[0].kind:  # two alternatives of one type
            rule = f"{same[0].rule}, or {fault.rule.removeprefix('must be ')}"
            both = replace(same[0], rule=rule)
            chosen[chosen.index(same[0])] = both
        elif fault not in chosen:
            chosen.append(fault)
    return chosen


def _is_below(location: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(location) > len(other) and location[: len(other)] == other


def _describe(
    location: tuple[int | str, ...], kind: str, message: str, context: Mapping[str, Any], value: object
) -> Iterator[Fault]:
    place = tuple(part for part in location if isinstance(part, int) or not _BRANCH.fullmatch(part))
    if kind not in _OWN_TEXT:
        yield _describe_value(place, kind, message, context, value)
        return
    # Our own sentences, which name the value.
    found = context.get("error")
    texts = found.texts if isinstance(found, SeveralFaultsError) else (message.removeprefix("Value error, "),)
    for text in texts:
        yield Fault(place, kind, text)


def _describe_value(
    place: tuple[int | str, ...], kind: str, message: str, context: Mapping[str, Any], value: object
) -> Fault:
    if kind == "missing":
        return Fault(place, kind, _RULES[kind])
    got = shown_value(value)
    if kind in _CHOICES:
        # Pydantic lists the choices as 'a', 'b' or 'c'; numbers have no quotes.
        words = re.findall(r"'([^']*)'", context["expected"])
        rule = f"must be one of {', '.join(words)}" if len(words) > 1 else f"must be {context['expected']}"
        hint = nearest(value, words) if isinstance(value, str) and words else ""
        return Fault(place, kind, rule, got, hint if hint.startswith("did you") else "")
    if kind not in _RULES:
        return Fault(place, kind, message.replace("Input should be", "must be"), got)
    rule = _RULES[kind].format_map(_Numbers(context))
    if noun := _COUNTED.get(kind):
        rule += f" {noun}" if rule.endswith(" 1") else f" {noun}s"
    return Fault(place, kind, rule, got, _hint(kind, place, value, context))


class _Numbers(dict[str, Any]):
    """Bounds of a rule, whole ones without a decimal point."""

    def __getitem__(self, key: str) -> object:
        value = dict.__getitem__(self, key)
        return int(value) if isinstance(value, float) and value.is_integer() else value


def _hint(kind: str, location: tuple[int | str, ...], value: object, limits: Mapping[str, Any]) -> str:
    if 1 in (limits.get("lt"), limits.get("le")) and isinstance(value, int | float):
        # A percentage instead of a share, e.g. ratio = 10.
        return f"did you mean {value / _PERCENT:g}?" if 1 < value <= _PERCENT else ""
    if kind in {"tuple_type", "list_type"} and isinstance(value, bool | int | float | str):
        return f"write [{shown_value(value)}]"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'write "{shown_value(value)}"'
    if kind in {"model_type", "dict_type"} and location and not isinstance(value, Mapping):
        return f"set one of its settings, e.g. {_subject(location)}.NAME = VALUE"
    return ""


def shown_value(value: object) -> str:
    """Return a value as users write it: true and false, lists in brackets, text in quotes; long ones cut."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        shown = ", ".join(map(shown_value, value[:_MAX_SHOWN]))
        return f"[{shown}, ...]" if len(value) > _MAX_SHOWN else f"[{shown}]"
    return reprlib.repr(value)


_MAX_SHOWN: Final = 6


def _subject(location: Sequence[int | str]) -> str:
    *groups, last = location or ("",)
    if last == _KEY:
        return f"the name {groups[-1]!r} in {_subject(groups[:-1])}"
    if isinstance(last, int):
        return f"value {last + 1} of {_subject(groups)}" if groups else f"value {last + 1}"
    positions = [index for index, part in enumerate(location) if isinstance(part, int)]
    if not positions:
        return ".".join(map(str, location))
    at = positions[-1]
    table = f"{_subject(location[:at])} {int(location[at]) + 1}"
    return f"{'.'.join(map(str, location[at + 1 :]))} of {table}"
