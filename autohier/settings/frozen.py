"""The base of all settings: frozen, unknown keys refused, every fault told at once, on one line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

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
            _fault(model, fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()
        )
        raise InputError(f"{origin}: {faults}") from error


def nearest(word: str, valid: list[str]) -> str:
    """The remedy for a misspelt word: the nearest valid one, or the whole list."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(sorted(valid))}"


def _fault(model: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str) -> str:
    path = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"unknown setting {path!r}: {nearest(str(location[-1]), _valid_keys(model, location[:-1]))}"
    return (
        f"{path}: {message.removeprefix('Value error, ')}" if path else message.removeprefix("Value error, ")
    )


def _valid_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return list(model.model_fields)
