"""Names that autohier 0.1 used in search spaces, and the errors that give the present ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from autohier.errors import error_of

_SCOPES: Final = {"altogether": "global", "by-layer": "layerwise"}  # language: quote


def check_retired_names(values: Mapping[str, object], *, origin: str) -> None:
    """Refuse settings that are written with the names of autohier 0.1.

    Args:
        values: a search space, or the hyperparameters of one trial, as the user wrote them.
        origin: file or command they come from, for the error.

    Raises:
        InputError: if a name or a value has been renamed. Names every one of them with its present name.
    """
    faults = list(dict.fromkeys(_find_retired(values)))
    if faults:
        raise error_of(f"{origin} must use the names of autohier 0.2", faults)


def _find_retired(values: Mapping[str, object]) -> Iterator[str]:
    if "known" in values:
        yield "[[known]] is now [[initial]]"
    yield from _find_input_name(values)
    search = _table(values.get("search"))
    yield from _find_scopes(_sequence(search.get("scopes")))
    variants = _table(search.get("variants")).values()
    configs = (*_sequence(values.get("known")), *_sequence(values.get("initial")))
    for table in (*variants, search.get("settings")):
        yield from _find_input_name(_table(table))
    for config in (values, *map(_table, configs)):
        yield from _find_scopes([config.get("scope")])
        yield from _find_input_name(_table(config.get("settings")))


def _find_input_name(table: Mapping[str, object]) -> Iterator[str]:
    if "clips.form" in table or "form" in _table(table.get("clips")):
        yield "clips.form is now clips.input"


def _find_scopes(scopes: Sequence[object]) -> Iterator[str]:
    for scope in scopes:
        if isinstance(scope, str) and scope in _SCOPES:
            yield f"scope {scope!r} is now {_SCOPES[scope]!r}"


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
