"""Reading a space: a shipped name or a TOML file, and --set overrides on top of it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from autohier.errors import InputError
from autohier.settings.choice import Choice
from autohier.settings.frozen import nearest, validate
from autohier.settings.overrides import GROUPS
from autohier.settings.space import Space


def shipped_spaces() -> list[str]:
    """Names of the spaces that come with the package, sorted."""
    folder = files("autohier").joinpath("search_spaces")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_space(name: str, overrides: Sequence[str] = ()) -> Space:
    """Read a space by its shipped name or from a TOML file.

    Args:
        name: ``demo``, ``ntu60``, ... or a path that ends in .toml.
        overrides: ``key=value`` texts; keys are dotted, values TOML (a bare word is a string).

    Raises:
        InputError: for an unknown name, a file that is not TOML, an unknown or impossible setting.
    """
    values = _read_toml(name)
    for override in overrides:
        _override(values, override)
    return validate(Space, values, origin=name)


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of what a single run draws, and those of its space."""
    own = [text for text in overrides if text.partition("=")[0].strip() in Choice.model_fields]
    return own, [text for text in overrides if text not in own]


def load_choice(space: Space, overrides: Sequence[str], general: Sequence[str] = ()) -> Choice:
    """The drawn values of a single run: the space's first known setting with overrides on top.

    Args:
        space: what it is drawn from.
        overrides: of drawn values.
        general: those that the space was read with: they also hold where its variants, or values that are
            searched, would stand in their place.

    Raises:
        InputError: for an unknown key, an impossible value, or a space without a known setting
            whose overrides do not give every value.
    """
    known = space.known[0].as_choice().model_dump() if space.known else {}
    drawn = dict(map(parse_override, overrides))
    values, own = known | drawn, drawn.get("settings", {})
    if isinstance(own, dict) and (space.search.variants or space.search.settings):
        changed = dict(map(parse_override, general))
        above = {name: value for name, value in changed.items() if name.partition(".")[0] in GROUPS}
        values["settings"] = known.get("settings", {}) | above | own
    choice = validate(Choice, values, origin=f"{space.name}, one setting")
    if max(choice.superclasses, default=0) > space.num_classes:
        raise InputError(
            f"there cannot be more superclasses than the {space.num_classes} classes of {space.name}",
            got=choice.counts_text,
            remedy=f"allowed are {list(space.allowed_counts)}",
        )
    return choice


def parse_override(text: str) -> tuple[str, object]:
    """Split ``key=value`` and read the value as TOML; a bare word is a string.

    Raises:
        InputError: where there is no ``=``.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError("--set takes key=value", got=text, remedy="write e.g. --set pass_1.epochs=5")
    try:
        parsed: object = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return key.strip(), parsed


def _read_toml(name: str) -> dict[str, object]:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InputError("a space file must exist", got=name, remedy=f"or name one of {shipped_spaces()}")
        return _parse_toml(path.read_bytes(), name)
    if name not in shipped_spaces():
        raise InputError("unknown space", got=repr(name), remedy=nearest(name, shipped_spaces()))
    return _parse_toml(files("autohier").joinpath("search_spaces", f"{name}.toml").read_bytes(), name)


def _parse_toml(content: bytes, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name} must be TOML", got=error, remedy="see search_spaces/demo.toml") from error


def _override(values: dict[str, object], text: str) -> None:
    key, value = parse_override(text)
    *groups, last = key.split(".")
    for group in groups:
        inner = values.setdefault(group, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"unknown setting {key!r}", remedy=f"{group!r} is a value, not a group of settings"
            )
        values = inner
    values[last] = value
