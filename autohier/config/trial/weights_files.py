"""Paths of 2D weights in stored settings: of a recognizer, a variant, a searched setting or a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from autohier.errors import MissingDataError

_GROUP, _FIELD = "recognizer", "weights"


def convert_weights(values: object, convert: Callable[[str], str]) -> object:
    """Return JSON values of a space, of configs or of a part of them with every path of weights converted."""
    if isinstance(values, list | tuple):
        return [convert_weights(each, convert) for each in values]
    if not isinstance(values, Mapping):
        return values
    converted = {name: convert_weights(value, convert) for name, value in values.items()}
    own, dotted = converted.get(_GROUP), f"{_GROUP}.{_FIELD}"
    if isinstance(own, dict) and _FIELD in own:
        converted[_GROUP] = own | {_FIELD: _convert_paths(own[_FIELD], convert)}
    if dotted in converted:
        converted[dotted] = _convert_paths(converted[dotted], convert)
    return converted


def _convert_paths(value: object, convert: Callable[[str], str]) -> object:
    if isinstance(value, list):
        return [_convert_paths(each, convert) for each in value]
    return convert(value) if isinstance(value, str) else value


def relocate_weights(values: Mapping[str, Any], given: Path) -> dict[str, Any]:
    """Return JSON values of settings in which weights that do not exist are those that the user names.

    Args:
        values: as for `convert_weights`.
        given: a file, which takes the place of any missing one; or a folder with files of their names.
    """

    def relocate(path: str) -> str:
        if Path(path).is_file():
            return path
        return str((given / Path(path).name if given.is_dir() else given).resolve())

    return cast("dict[str, Any]", convert_weights(values, relocate))


def require_weights(subject: str, values: object) -> None:
    """Check that the weights exist that a sweep or a trial starts from.

    Args:
        subject: the sweep or the trial, for the error.
        values: JSON values of its settings.

    Raises:
        MissingDataError: names the first file that does not exist, e.g. as it was moved.
    """

    def require(path: str) -> str:
        if not Path(path).is_file():
            raise MissingDataError(
                f"the 2D weights of {subject} must exist",
                got=f"nothing at {path}",
                hint="put the file there again, or name it, or its folder, with --pretrained",
            )
        return path

    convert_weights(values, require)
