"""Base class of all settings: frozen, with unknown keys refused and all faults in one error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from autohier.config.tagged import TaggedBy
from autohier.errors import InputError, nearest
from autohier.faults import Fault, find_faults, shown_value
from autohier.text import listing

ModelT = TypeVar("ModelT", bound="FrozenModel")


class FrozenModel(BaseModel):
    """Group of settings: immutable, compared by content, and without unknown keys.

    The docstring below a field is its description, e.g. in ``model_fields[name].description``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def check_different(values: Sequence[object]) -> None:
    """Check that no value of a list is repeated.

    Raises:
        ValueError: if one is; names it.
    """
    repeated = next((value for index, value in enumerate(values) if value in values[:index]), None)
    if repeated is not None:
        raise ValueError(f"must hold each value once, but got {shown_value(repeated)} several times")


def validate(model: type[ModelT], values: Mapping[str, object], *, origin: str) -> ModelT:
    """Build a model from plain values.

    Args:
        model: settings class.
        values: settings as the user wrote them, nested as in the TOML file.
        origin: file or command they come from, for the error.

    Raises:
        InputError: if values break a rule. Names every fault, and for an unknown key the nearest valid one.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{origin}: {_describe(model, values, find_faults(error))}") from error


def _describe(model: type[BaseModel], values: object, faults: Sequence[Fault]) -> str:
    missing: dict[tuple[int | str, ...], list[str]] = {}
    for fault in faults:
        if fault.kind == "missing":
            missing.setdefault(fault.location[:-1], []).append(str(fault.location[-1]))
    texts = [_missing_text(model, values, place, names) for place, names in missing.items()]
    for fault in faults:
        if fault.kind == "extra_forbidden":
            group = _find_group(model, values, fault.location[:-1])
            valid = [] if group is None else list(group.model_fields)
            word = str(fault.location[-1])
            texts.append(f"unknown setting {'.'.join(map(str, fault.location))!r}: {nearest(word, valid)}")
        elif fault.kind != "missing":
            texts.append(fault.text)
    return "; ".join(texts)


def _missing_text(
    model: type[BaseModel], values: object, place: tuple[int | str, ...], names: Sequence[str]
) -> str:
    """Return the names of a group's missing settings, with examples of those that have some."""
    group = _find_group(model, values, place)
    fields = {} if group is None else group.model_fields
    subject = Fault((*place, listing(names)), "missing", "must be given").text
    examples = [
        f"{name} = {json.dumps(field.examples[0])}"
        for name in names
        if (field := fields.get(name)) is not None and field.examples
    ]
    return f"{subject}: add e.g. {listing(examples)}" if examples else subject


def _find_group(
    model: type[BaseModel], values: object, location: tuple[int | str, ...]
) -> type[BaseModel] | None:
    """Return the settings class at a location; None if there is none."""
    group: type[BaseModel] | None = model
    for part in location:
        values = _inner_value(values, part)
        if isinstance(part, int):  # one of a list, whose class the list's field names
            continue
        field = group.model_fields.get(part) if group else None
        group = _class_of(field, values) if field else None
    return group


def _inner_value(values: object, part: int | str) -> object:
    if isinstance(values, Mapping):
        return values.get(part)
    if isinstance(part, int):
        return values[part] if isinstance(values, Sequence) else None
    return getattr(values, part, None)


def _class_of(field: FieldInfo, values: object) -> type[BaseModel] | None:
    if isinstance(values, BaseModel):
        return type(values)
    tags = [note for note in field.metadata if isinstance(note, TaggedBy)]
    if tags and isinstance(values, Mapping):
        return tags[0].find_class(values)
    return next(_model_classes(field.annotation), None)


def _model_classes(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _model_classes(argument)
