"""Paths of weights in stored settings: of a recognizer, a variant, a searched setting or a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from autohier.errors import MissingDataError

_GROUP: Final = "recognizer"
_WEIGHTS, _START = "weights", "start"
_FIELDS: Final = (_WEIGHTS, _START)


def convert_weights(
    values: object, convert: Callable[[str], str], *, fields: Sequence[str] = _FIELDS
) -> object:
    """Return JSON values of a space, of configs or of a part of them with every path of weights converted.

    Args:
        values: the JSON values.
        convert: returns the new path of one.
        fields: settings of the recognizer that hold the paths.
    """
    if isinstance(values, list | tuple):
        return [convert_weights(each, convert, fields=fields) for each in values]
    if not isinstance(values, Mapping):
        return values
    converted = {name: convert_weights(value, convert, fields=fields) for name, value in values.items()}
    own = converted.get(_GROUP)
    if isinstance(own, dict):
        converted[_GROUP] = {
            name: _convert_paths(value, convert) if _is_one_of(name, fields) else value
            for name, value in own.items()
        }
    return {
        name: _convert_paths(value, convert)
        if name.startswith(f"{_GROUP}.") and _is_one_of(name.removeprefix(f"{_GROUP}."), fields)
        else value
        for name, value in converted.items()
    }


def convert_starts(values: object, convert: Callable[[str], str]) -> object:
    """Return JSON values with every start, also of pathways, converted; see `convert_weights`."""
    return convert_weights(values, convert, fields=(_START,))


def find_starts(values: object) -> tuple[str, ...]:
    """Return every ``recognizer.start`` in JSON values, each once."""
    return find_weights(values, fields=(_START,))


def find_weights(values: object, *, fields: Sequence[str] = _FIELDS) -> tuple[str, ...]:
    """Return every path of weights in JSON values, each once; see `convert_weights`."""
    found: list[str] = []

    def note(path: str) -> str:
        found.append(path)
        return path

    convert_weights(values, note, fields=fields)
    return tuple(dict.fromkeys(found))


def _is_one_of(name: str, fields: Sequence[str]) -> bool:
    """Return True if a setting holds paths; a pathway's start is named after it, e.g. ``start_rgb``."""
    return name in fields or (_START in fields and name.startswith(f"{_START}_"))


def _convert_paths(value: object, convert: Callable[[str], str]) -> object:
    if isinstance(value, list):
        return [_convert_paths(each, convert) for each in value]
    return convert(value) if isinstance(value, str) and value else value  # empty as if it were not set


def relocate_weights(values: Mapping[str, Any], given: Path) -> dict[str, Any]:
    """Return JSON values of settings in which weights that do not exist are those that the user names.

    Args:
        values: as for `convert_weights`.
        given: a file or stage, which takes the place of any missing one; or a folder with files or stages of
            their names.
    """
    return cast("dict[str, Any]", convert_weights(values, lambda path: relocated_path(path, given)))


def relocated_path(path: str, given: Path) -> str:
    """Return the path of weights, or of those that the user names if it does not exist.

    Args:
        path: as it was.
        given: see `relocate_weights`.
    """
    name = Path(path).name
    if Path(path).exists():
        return path
    return str((given / name if given.is_dir() and given.name != name else given).resolve())


def require_weights(subject: str, values: object) -> None:
    """Check that the weights exist that a sweep or a trial starts from.

    Args:
        subject: the sweep or the trial, for the error.
        values: JSON values of its settings.

    Raises:
        MissingDataError: names the first file that does not exist, e.g. as it was moved.
    """
    for field, what, thing in (
        (_WEIGHTS, "2D weights", "file"),
        (_START, "starting weights", "file or stage"),
    ):

        def require(path: str, what: str = what, thing: str = thing) -> str:
            if not Path(path).exists():
                raise MissingDataError(
                    f"the {what} of {subject} must exist",
                    got=f"nothing at {path}",
                    hint=f"put the {thing} there again, or name it, or its folder, with --pretrained",
                )
            return path

        convert_weights(values, require, fields=(field,))
