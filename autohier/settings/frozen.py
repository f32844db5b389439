"""The base of all settings: frozen, unknown keys refused, every fault told at once, on one line."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Tag, TypeAdapter, ValidationError

from autohier.errors import InputError

ModelT = TypeVar("ModelT", bound="FrozenModel")


class FrozenModel(BaseModel):
    """A group of settings; immutable, hashable by content, with no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def validate(model: type[ModelT], values: Mapping[str, object], *, origin: str) -> ModelT:
    """Build a model from plain values.

    Args:
        model: the settings class.
        values: what the user wrote, nested as in the TOML file.
        origin: where it was written, for the error.

    Raises:
        InputError: naming every fault, and for an unknown key the nearest valid one.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            _fault(model, fault["loc"], fault["type"], fault["msg"], fault["input"])
            for fault in error.errors()
        )
        raise InputError(f"{origin}: {faults}") from error


def nearest(word: str, valid: list[str]) -> str:
    """The remedy for a misspelt word: the nearest valid one, or the whole list."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(sorted(valid))}"


def fields_of(union: TypeAdapter[Any], values: Mapping[str, object]) -> set[str]:
    """Names of the settings of the member of a union that values are of; none where they are of none."""
    try:
        return set(dict(union.validate_python(values)))
    except ValidationError:
        return set()


def field_of(value: object, name: str, *, default: object) -> object:
    """A field of settings, or of what they are made from: what tells the members of a union apart."""
    return value.get(name, default) if isinstance(value, Mapping) else getattr(value, name, default)


def _fault(
    model: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str, given: object
) -> str:
    named, group = _walk(model, location)
    path = ".".join(named)
    if kind == "extra_forbidden":
        valid = [] if group is None else list(group.model_fields)
        return f"unknown setting {path!r}: {nearest(named[-1], valid)}"
    text = message.removeprefix("Value error, ")
    if kind not in {"missing", "union_tag_invalid", "value_error"}:  # others say what they were given
        text = f"{text}, but got {reprlib.repr(given)}"
    return f"{path}: {text}" if path else text


def _walk(
    model: type[BaseModel], location: tuple[int | str, ...]
) -> tuple[list[str], type[BaseModel] | None]:
    """A fault's path as users write it, without the tags of unions, and the group its last part stands in."""
    named: list[str] = []
    group: type[BaseModel] | None = model
    inside = group
    members: dict[str, type[BaseModel]] = {}
    for part in map(str, location):
        if part in members:
            inside, members = members[part], {}
            continue
        named.append(part)
        group, inside = inside, None
        field = group.model_fields.get(part) if group else None
        if field:
            inside, members = _groups_in(field.annotation)
    return named, group


def _groups_in(annotation: object) -> tuple[type[BaseModel] | None, dict[str, type[BaseModel]]]:
    """The group of settings that a field is of, or those of its union by their tags."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, {}
    members = {}
    for member in get_args(annotation):
        own, *notes = get_args(member) or (member,)
        for tag in (note.tag for note in notes if isinstance(note, Tag)):
            members[tag] = own
    return None, members
