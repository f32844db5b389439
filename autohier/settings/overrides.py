"""What trials of one sweep may differ in beside HAC's own choices: settings, by their dotted names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter

from autohier.errors import InputError, told_of
from autohier.settings.clips import ClipSettings
from autohier.settings.frozen import FrozenModel, ModelT, fields_of, nearest, validate
from autohier.settings.recognizers import RecognizerSettings, absolute_path

GROUPS = ("recognizer", "clips", "optimisation", "pass_1", "pass_2", "pruning")
"""Groups of a space's settings that trials may differ in."""
_KINDS = {"recognizer": "name", "clips": "form"}
"""What tells the members of a group apart that have settings of their own."""
_UNIONS: dict[str, TypeAdapter[Any]] = {
    "recognizer": TypeAdapter(RecognizerSettings),
    "clips": TypeAdapter(ClipSettings),
}
SHARED = "clips.modality"
"""Which prepared clips are read: the same ones by all trials."""
_PATH = "recognizer.weights"


def by_name(value: object) -> object:
    """A table whose keys are dotted names, from one that may be nested: ``{a: {b: 1}}`` is ``{"a.b": 1}``.

    Raises:
        ValueError: where a value is no number, text, truth value or list of these.
    """
    return dict(_flat(value)) if isinstance(value, Mapping) else value


def _flat(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from ((whole := f"{name}.{field}", _frozen(whole, own)) for field, own in value.items())
        else:
            yield name, _frozen(name, value)


def _frozen(name: str, value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(name, each) for each in value)
    if not isinstance(value, bool | int | float | str):
        told = f"{name} must be a number, a text, true, false or a list of these, but got {value}"
        raise ValueError(told)  # noqa: TRY004  what pydantic takes for a fault of the user's
    return absolute_path(value) if name == _PATH and isinstance(value, str) else value


def _pairs(value: object) -> object:
    return tuple(sorted(named.items())) if isinstance(named := by_name(value), Mapping) else value


Overrides = Annotated[
    tuple[tuple[str, Any], ...], BeforeValidator(_pairs), PlainSerializer(dict, return_type=dict[str, Any])
]
"""Values by dotted name, sorted by it; written as a table."""


def applied(model: ModelT, overrides: Overrides, *, of: str) -> ModelT:
    """A space's settings with others in their place.

    A recognizer of another name and clips of another form begin anew, as they have settings of their own.

    Args:
        model: holds the groups.
        overrides: what changes in them.
        of: whose overrides they are, for errors.

    Raises:
        InputError: where trials may not differ in one, or it cannot be.
    """
    if not overrides:
        return model
    parts, changed = dict(model), dict[str, dict[str, object]]()
    for name, value in overrides:
        with told_of(of):
            group, field = split_name(name)
        changed.setdefault(group, {})[field] = value
    whole = {group: _kept(group, parts[group], own) | own for group, own in changed.items()}
    return validate(type(model), parts | whole, origin=of)


def _kept(group: str, part: FrozenModel, own: Mapping[str, object]) -> dict[str, object]:
    values, kind = part.model_dump(), _KINDS.get(group)
    if kind is None or own.get(kind, values[kind]) == values[kind]:
        return values
    return {name: value for name, value in values.items() if f"{group}.{name}" == SHARED}


def leave_out(table: object, name: str) -> None:
    """Take a setting, or a group of them, out of a table that is nested or has dotted names."""
    if isinstance(table, dict):
        group, _, field = name.partition(".")
        for whole in [key for key in table if key == name or key.startswith(f"{name}.")]:
            del table[whole]
        leave_out(table.get(group), field)


def begins_anew(table: Mapping[str, object], name: str) -> bool:
    """Whether a variant has another recognizer, or clips of another form, that do have such a setting.

    Args:
        table: the variant as users write it.
        name: the dotted name.
    """
    group, _, field = name.partition(".")
    kind, inner = _KINDS.get(group, ""), table.get(group)
    own = inner.get(kind) if isinstance(inner, Mapping) else table.get(f"{group}.{kind}")
    if own is None or field == kind:
        return False
    return field in fields_of(_UNIONS[group], {kind: own})


def split_name(name: str) -> tuple[str, str]:
    """Group and setting of a dotted name.

    Raises:
        InputError: where trials may not differ in such a setting.
    """
    group, _, field = name.partition(".")
    if group not in GROUPS or not field:
        raise InputError(
            f"trials may differ in settings of {', '.join(GROUPS)}",
            got=repr(name),
            remedy=nearest(group, list(GROUPS)) if field else "write GROUP.SETTING",
        )
    return group, field


def default_value(model: FrozenModel, name: str, table: Sequence[object], *, of: str) -> object:
    """A searched setting where none is drawn: its own value or, where the table lacks that, the first of it.

    Args:
        model: holds the groups.
        name: of the setting.
        table: its values.
        of: whose settings they are, for errors.

    Raises:
        InputError: where the model has no such setting.
    """
    own = _own_value(model, name, of=of)
    return table[table.index(own)] if own in table else table[0]


def require_as_written(model: FrozenModel, overrides: Overrides, *, of: str) -> None:
    """Check that a model took values as they are written, as they are compared in that form.

    Args:
        model: what they were applied to.
        overrides: the values.
        of: whose they are, for errors.

    Raises:
        InputError: for a number in quotes, or the like.
    """
    for name, value in overrides:
        taken = _own_value(model, name, of=of)
        if taken != value:
            raise InputError(f"{of}: {name} must be written as {taken!r}", got=repr(value))


def _own_value(model: FrozenModel, name: str, *, of: str) -> object:
    group, field = split_name(name)
    part = dict(model)[group]
    known = list(type(part).model_fields)
    if field not in known:
        raise InputError(f"{of}: unknown setting {name!r}", remedy=nearest(field, known))
    value: object = getattr(part, field)
    return value


def check_table(name: str, table: Sequence[object]) -> None:
    """Check that a setting may have a table, and that its values differ.

    Raises:
        InputError: where not.
    """
    if name in (*(f"{group}.{kind}" for group, kind in _KINDS.items()), SHARED):
        raise InputError(f"search.settings cannot hold {name}", remedy="write [search.variants.NAME] tables")
    if len(set(table)) < len(table):
        raise InputError(f"the values of {name} in search.settings must differ", got=list(table))


def alone_and_by_two(tables: Mapping[str, Sequence[object]]) -> Iterator[Overrides]:
    """Every value of every table, then every two values of settings that are of one group."""
    for name, table in tables.items():
        yield from (((name, value),) for value in table)
    for (one, its), (other, others) in combinations(tables.items(), 2):
        if split_name(one)[0] == split_name(other)[0]:
            yield from (((one, value), (other, beside)) for value, beside in product(its, others))


def of_recognizer(name: str) -> bool:
    """Whether a setting of that name is the recognizer's."""
    return name.partition(".")[0] == "recognizer"


def changes_pass_1(name: str) -> bool:
    """Whether a setting of that name changes what pass 1 is, and with it all that follows."""
    return name.partition(".")[0] not in ("pass_2", "pruning")


def changes_pass_2(name: str) -> bool:
    """Whether a setting of that name changes what pass 2 is."""
    return name.partition(".")[0] != "pruning"


def is_ordered(table: Sequence[Any]) -> bool:
    """Whether a table of values holds ascending numbers, so that neighbours are alike."""
    return all(is_number(value) for value in table) and list(table) == sorted(set(table))


def is_number(value: object) -> bool:
    """Whether a setting's value is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: object) -> str:
    """A setting's value as TOML writes it, texts without quotes."""
    return value if isinstance(value, str) else json.dumps(value)
