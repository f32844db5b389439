"""Paths of weights in a search space that may move: fixed ones are changed, searched ones keep their name.

A searched path, in ``search.settings``, is a value of the hyperparameters that trials and their study record,
so it stays as it was when the sweep started. ``moved_weights`` says where its file lies now.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from autohier.config.frozen import validate
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.weights_files import convert_weights, find_weights, relocated_path

_MOVED = "moved_weights"


def present_weights(space: SearchSpace) -> tuple[str, ...]:
    """Return every path of weights in a space, as it lies now, each once."""
    return find_weights(located_values(space))


def located_values(space: SearchSpace) -> dict[str, Any]:
    """Return the JSON values of a space in which searched weights have the paths where they lie now."""
    values = space.model_dump(mode="json")
    return _converted(values, lambda path: space.moved_weights.get(path, path))


def placed_values(space: SearchSpace, place: Callable[[str], str]) -> dict[str, Any]:
    """Return the JSON values of a space for a file, with the places of its weights.

    Args:
        space: with absolute paths.
        place: returns the place of a path, e.g. relative to a folder that may move.
    """
    return _moved(space, place)


def locate_weights(values: Any, locate: Callable[[str], str]) -> dict[str, Any]:  # noqa: ANN401  of a file
    """Return the JSON values of a space in a file with absolute paths of weights.

    Args:
        values: as `placed_values` returned them; possibly damaged.
        locate: returns the path of a place.

    Raises:
        TypeError, ValueError: if the values cannot be those of a space.
    """
    located = dict(_converted(values, locate))
    moved = {path: locate(place) for path, place in dict(located.get(_MOVED, {})).items()}
    return located | {_MOVED: {path: now for path, now in moved.items() if now != path}}


def relocated_space(space: SearchSpace, given: Path) -> SearchSpace:
    """Return a space in which weights that do not exist are those that the user names.

    Args:
        space: with absolute paths.
        given: see `relocated_path`.
    """
    values = _moved(space, lambda path: relocated_path(path, given))
    return validate(SearchSpace, values, origin="--pretrained")


def with_weights_of(space: SearchSpace, other: SearchSpace) -> SearchSpace:
    """Return a space whose missing weights are those of another one, which differs in paths of weights alone.

    Args:
        space: of a sweep.
        other: the same space, whose weights have the same content.
    """
    own, others = (list(_in_order(located_values(each))) for each in (space, other))
    now = {path: path if Path(path).exists() else new for path, new in zip(own, others, strict=True)}
    return validate(SearchSpace, _moved(space, lambda path: now.get(path, path)), origin=space.name)


def _moved(space: SearchSpace, convert: Callable[[str], str]) -> dict[str, Any]:
    values = space.model_dump(mode="json")
    search, initial = values.pop("search"), values.pop("initial")
    variants = _converted(search["variants"], convert)
    moved = {
        path: new
        for path in find_weights({"settings": search["settings"]})
        if (new := convert(space.moved_weights.get(path, path))) != path
    }
    search |= {"variants": variants}
    return _converted(values, convert) | {"search": search, "initial": initial, _MOVED: moved}


def _in_order(values: object) -> list[str]:
    found: list[str] = []
    convert_weights(values, lambda path: found.append(path) or path)  # type: ignore[func-returns-value]
    return found


def _converted(values: dict[str, Any], convert: Callable[[str], str]) -> dict[str, Any]:
    return cast("dict[str, Any]", convert_weights(values, convert))
