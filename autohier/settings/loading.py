"""Reading a space: a shipped name or a TOML file, and --set overrides on top of it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from autohier.errors import InputError
from autohier.settings.choice import Choice
from autohier.settings.frozen import nearest, validate
from autohier.settings.overrides import GROUPS, begins_anew, leave_out
from autohier.settings.space import Space


def shipped_spaces() -> list[str]:
    """Names of the spaces that come with the package, sorted."""
    folder = files("autohier").joinpath("search_spaces")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_space(name: str, overrides: Sequence[str] = ()) -> Space:
    """Read a space by its shipped name or from a TOML file.

    An overridden recognizer, clips or training setting holds for every trial: what the file's variants and
    tables of searched settings say of it is left out.

    Args:
        name: ``demo``, ``ntu60``, ... or a path that ends in .toml.
        overrides: ``key=value`` texts; keys are dotted, values TOML (a bare word is a string).

    Raises:
        InputError: for an unknown name, a file that is not TOML, an unknown or impossible setting.
    """
    values = _read_toml(name)
    for override in overrides:
        _hold(values, override)
    for override in overrides:
        _override(values, override)
    return validate(Space, values, origin=name)


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of what a single run draws, and those of its space."""
    own = [text for text in overrides if text.partition("=")[0].strip() in Choice.model_fields]
    return own, [text for text in overrides if text not in own]


def load_choice(space: Space, overrides: Sequence[str]) -> Choice:
    """The drawn values of a single run: the space's first known setting with overrides on top.

    Raises:
        InputError: for an unknown key, an impossible value, or a space without a known setting
            whose overrides do not give every value.
    """
    known = space.known[0].as_choice().model_dump() if space.known else {}
    drawn = dict(map(parse_override, overrides))
    values, own = known | drawn, drawn.get("settings")
    if isinstance(own, dict):
        values["settings"] = known.get("settings", {}) | own
    missing = [
        name for name, field in Choice.model_fields.items() if field.is_required() and name not in values
    ]
    if missing:
        counts = "/".join(map(str, space.allowed_counts[: space.search.levels]))
        raise InputError(
            f"{space.name} has no known setting to begin with, so each value must be given",
            got=f"none of {', '.join(missing)}",
            remedy=f"--set superclasses={counts} --set weight_ratio=0.5 --set scope=by-layer "
            "--set ratio=0.1 --set passes=2",
        )
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


def _hold(values: dict[str, object], text: str) -> None:
    """Put a setting above whatever trials of a space file differ in."""
    name, value = parse_override(text)
    search, known = values.get("search"), values.get("known")
    if name.partition(".")[0] not in GROUPS or not isinstance(search, dict):
        return
    variants = search.get("variants")
    choices = known if isinstance(known, list) else []
    for table in (search.get("settings"), *(one.get("settings") for one in choices if isinstance(one, dict))):
        leave_out(table, name)
    for table in variants.values() if isinstance(variants, dict) else ():
        leave_out(table, name)
        # Where a variant begins anew, what all trials are to have is no longer there.
        if begins_anew(table, name):
            table[name] = value


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
