"""Key defaults: which settings are left out of stage keys, so that settings can be added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class KeyDefault:
    """Annotates a setting with the value at which stage keys leave it out.

    It is the value that computes as before the setting existed, so that stages stored before are still
    reused. It must never change. It is independent of the setting's default, which users get and which may
    change::

        grad_clip: Annotated[float | None, KeyDefault(None)] = 1.0

    A setting without a key default is always in the key. So are the tags of unions, which must not have one.
    """

    value: Any


def names_at_key_default(model: BaseModel) -> tuple[str, ...]:
    """Return the fields of a group of settings that are at their key default."""
    return tuple(
        name
        for name, field in type(model).model_fields.items()
        for each in field.metadata
        if isinstance(each, KeyDefault) and getattr(model, name) == each.value
    )


def added_settings(settings: type[BaseModel]) -> dict[str, Any]:
    """Return the key defaults of the settings whose default differs from them."""
    return {
        name: note.value
        for name, field in settings.model_fields.items()
        for note in field.metadata
        if isinstance(note, KeyDefault) and field.get_default() != note.value
    }


def key_content(model: BaseModel, *, exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the JSON values of a group of settings for a stage key, without those at their key default.

    Args:
        model: the group; groups within it are treated alike.
        exclude: fields that are left out of the group itself.
    """
    left_out = exclude | set(names_at_key_default(model))
    content = model.model_dump(mode="json", exclude=set(left_out))
    groups = {name: getattr(model, name) for name in content}
    return content | {
        name: key_content(value) for name, value in groups.items() if isinstance(value, BaseModel)
    }
