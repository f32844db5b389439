"""Paths of 2D weights in stored settings: of a recognizer, a variant, a searched setting or a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

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


def require_weights(subject: str, values: object, file: Path) -> None:
    """Check that the weights exist that a sweep or a trial starts from.

    Args:
        subject: the sweep or the trial, for the error.
        values: JSON values of its settings.
        file: file that names the weights.

    Raises:
        MissingDataError: names the first file that does not exist, e.g. as it was moved.
    """

    def require(path: str) -> str:
        if not Path(path).is_file():
            raise MissingDataError(
                f"the 2D weights of {subject} must exist",
                got=f"nothing at {path}",
                hint=f"put the file there again, or write its present path as recognizer.weights into {file}",
            )
        return path

    convert_weights(values, require)
