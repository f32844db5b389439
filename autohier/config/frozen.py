"""Base class of all settings: frozen, with unknown keys refused and all faults in one error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from autohier.config.tagged import TaggedBy
from autohier.errors import error_of, nearest
from autohier.faults import Fault, find_faults, shown_value
from autohier.text import listing

ModelT = TypeVar("ModelT", bound="FrozenModel")


class FrozenModel(BaseModel):
    """Group of settings: immutable, compared by content, and without unknown keys.

    The docstring below a field is its description, e.g. in ``model_fields[name].description``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans_for_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false for numbers, which Pydantic reads as 1 and 0."""
        kind = _number_kind(cls.model_fields[info.field_name].annotation) if info.field_name else None
        if kind is not None and (places := list(_booleans_in(value))):
            faults = [InitErrorDetails(type=kind, loc=place, input=found) for place, found in places]
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return value


def _number_kind(annotation: object) -> Literal["int_type", "float_type"] | None:
    """Return the fault of a value that is no number of a type; None for a type without numbers."""
    types = set(_leaf_types(annotation))
    if types & {bool, Any, object} or not types & {int, float}:
        return None
    return "float_type" if float in types else "int_type"


def _leaf_types(annotation: object) -> Iterator[object]:
    arguments = () if get_origin(annotation) is Literal else get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _leaf_types(argument)


def _booleans_in(value: object, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Yield the booleans in a value and in its lists, with their places."""
    if isinstance(value, bool):
        yield place, value
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _booleans_in(each, (*place, index))


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
        raise error_of(origin, _describe(model, values, find_faults(error))) from error


def _describe(model: type[BaseModel], values: object, faults: Sequence[Fault]) -> list[str]:
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
    return texts


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
