"""Overrides: settings in which the trials of a sweep differ, by dotted name, e.g. "pass_2.epochs"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from autohier.config.frozen import FrozenModel, ModelT, validate
from autohier.config.tagged import TaggedBy
from autohier.config.trial.clips import CLIPS_TAG
from autohier.config.trial.recognizers import RECOGNIZER_TAG, absolute_path
from autohier.config.trial.schedules import find_schedule_settings
from autohier.errors import InputError, error_about, nearest
from autohier.faults import shown_value

GROUPS: Final = ("recognizer", "clips", "optimisation", "pass_1", "pass_2", "pruning")
"""Groups of a space's settings that trials may differ in."""
SHARED_SETTING: Final = "clips.modality"
"""Setting that all trials of a sweep share, as they read the same prepared clips."""
TAGS: Final[dict[str, TaggedBy]] = {"recognizer": RECOGNIZER_TAG, "clips": CLIPS_TAG}
"""Groups whose settings class is selected by a tag."""
_RELATED_GROUPS: Final = {"recognizer", "clips"}
"""Groups between whose settings rules hold: a recognizer may need certain numbers of frames."""
_SCHEDULE_OPTION: Final = "optimisation.schedule_options."
"""Prefix of the options of the learning-rate schedule, the only settings with names of three parts."""
_OPTIONS_FIELD: Final = "schedule_options"
_FILE_SETTING: Final = "recognizer.weights"


def flatten_table(value: object) -> object:
    """Return a table with dotted names: ``{a: {b: {c: 1}}}`` becomes ``{"a.b.c": 1}``; other values stay.

    Raises:
        ValueError: if a value is not a number, a string, a boolean or a list of these.
    """
    return dict(_flatten(value)) if isinstance(value, Mapping) else value


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for field, value in table.items():
        name = f"{prefix}{field}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, _freeze(name, value)


def _freeze(name: str, value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_freeze(name, each) for each in value)
    if not isinstance(value, bool | int | float | str):
        text = f"{name} must be a number, a string, a boolean or a list of these, but got {value}"
        raise ValueError(text)  # noqa: TRY004  pydantic reports a ValueError as the user's fault
    return absolute_path(value) if name == _FILE_SETTING and isinstance(value, str) else value


def _to_pairs(value: object) -> object:
    return tuple(sorted(table.items())) if isinstance(table := flatten_table(value), Mapping) else value


Overrides = Annotated[
    tuple[tuple[str, Any], ...], BeforeValidator(_to_pairs), PlainSerializer(dict, return_type=dict[str, Any])
]
"""Values by dotted name, sorted by it; files hold them as a table."""


def apply_overrides(model: ModelT, overrides: Overrides, *, origin: str) -> ModelT:
    """Return a model with some settings replaced.

    A new recognizer name, or a new clip input, resets the group's other settings to their defaults; a new
    schedule resets ``schedule_options``.

    Args:
        model: space that holds the groups.
        overrides: new values.
        origin: variant or table they come from, for errors.

    Raises:
        InputError: if trials may not differ in a setting, or a value breaks a rule.
    """
    if not overrides:
        return model
    groups, changes = dict(model), dict[str, dict[str, object]]()
    for name, value in overrides:
        with error_about(origin):
            group, field = split_name(name)
        own, (field, _, option) = changes.setdefault(group, {}), field.partition(".")
        own[field] = _with_option(own.get(field), option, value) if option else value
    changed = {group: _change(group, groups[group], new) for group, new in changes.items()}
    return validate(type(model), groups | changed, origin=origin)


def _with_option(options: object, name: str, value: object) -> dict[str, object]:
    return {**(options if isinstance(options, dict) else {}), name: value}


def _change(group: str, settings: FrozenModel, new: Mapping[str, object]) -> dict[str, object]:
    """Return the values of a group with new ones; options of the schedule are merged key by key."""
    values = _kept_values(group, settings, new)
    earlier, options = values.get(_OPTIONS_FIELD), new.get(_OPTIONS_FIELD)
    if isinstance(earlier, dict) and isinstance(options, dict):
        return {**values, **new, _OPTIONS_FIELD: earlier | options}
    return {**values, **new}


def _kept_values(group: str, settings: FrozenModel, new: Mapping[str, object]) -> dict[str, object]:
    values, tag = settings.model_dump(), TAGS[group].tag if group in TAGS else None
    if new.get("schedule", values.get("schedule")) != values.get("schedule"):
        return {name: value for name, value in values.items() if name != _OPTIONS_FIELD}
    if tag is None or new.get(tag, values[tag]) == values[tag]:
        return values
    return {name: value for name, value in values.items() if f"{group}.{name}" == SHARED_SETTING}


def remove_setting(table: object, name: str) -> None:
    """Delete a setting, or a group of them, from a table that is nested or has dotted names."""
    if isinstance(table, dict):
        group, _, field = name.partition(".")
        for whole in [key for key in table if key == name or key.startswith(f"{name}.")]:
            del table[whole]
        remove_setting(table.get(group), field)


def resets_setting(variant: Mapping[str, object], name: str) -> bool:
    """Return True if a variant resets a setting to its default by a new recognizer, clip input or schedule.

    It returns False if the new recognizer, clip input or schedule has no such setting.

    Args:
        variant: table as users write it.
        name: dotted name of the setting.
    """
    group, _, field = name.partition(".")
    if name.startswith(_SCHEDULE_OPTION):
        return _resets_option(variant, name.removeprefix(_SCHEDULE_OPTION))
    if group not in TAGS:
        return False
    tag, inner = TAGS[group].tag, variant.get(group)
    new = inner.get(tag) if isinstance(inner, Mapping) else variant.get(f"{group}.{tag}")
    if new is None or field == tag:
        return False
    try:
        return field in TAGS[group].find(str(new)).model_fields
    except InputError:
        return False  # reported when the space is validated


def _resets_option(variant: Mapping[str, object], option: str) -> bool:
    schedule = dict(_flatten(variant)).get("optimisation.schedule")
    try:
        return schedule is not None and option in find_schedule_settings(str(schedule)).model_fields
    except InputError:
        return False  # reported when the space is validated


def split_name(name: str) -> tuple[str, str]:
    """Split a dotted name into its group and its setting.

    Raises:
        InputError: if trials may not differ in such a setting.
    """
    group, _, field = name.partition(".")
    if group not in GROUPS or not field:
        raise InputError(
            f"trials may differ in settings of {', '.join(GROUPS)}",
            got=repr(name),
            hint=nearest(group, list(GROUPS)) if field else "write GROUP.SETTING",
        )
    return group, field


def default_value(model: FrozenModel, name: str, table: Sequence[object], *, origin: str) -> object:
    """Return the value of a searched setting in a trial that samples none.

    It is the model's own value or, if the table lacks that, the first of the table.

    Args:
        model: space that holds the groups.
        name: dotted name of the setting.
        table: searched values.
        origin: variant or table that the setting comes from, for errors.

    Raises:
        InputError: if the model has no such setting.
    """
    own = _read_value(model, name, origin=origin)
    return table[table.index(own)] if own in table else table[0]


def check_values_unchanged(model: FrozenModel, overrides: Overrides, *, origin: str) -> None:
    """Check that validation did not convert a value, since values are compared as they are written.

    Args:
        model: space after `apply_overrides`.
        overrides: values that were applied.
        origin: variant or table they come from, for errors.

    Raises:
        InputError: if a value was converted, e.g. a number in quotes.
    """
    for name, value in overrides:
        stored = _read_value(model, name, origin=origin)
        if stored != value:
            raise InputError(f"{origin}: {name} must be written as {stored!r}", got=repr(value))


def _read_value(model: FrozenModel, name: str, *, origin: str) -> object:
    group, field = split_name(name)
    settings = dict(model)[group]
    if name.startswith(_SCHEDULE_OPTION):
        settings, field = settings.schedule_settings, name.removeprefix(_SCHEDULE_OPTION)
    valid = list(type(settings).model_fields)
    if field not in valid:
        raise InputError(f"{origin}: unknown setting {name!r}", hint=nearest(field, valid))
    value: object = getattr(settings, field)
    return value


def check_table(name: str, table: Sequence[object]) -> None:
    """Check that a setting may be searched and that the values of its table differ.

    Raises:
        InputError: if not.
    """
    if name in (*(f"{group}.{note.tag}" for group, note in TAGS.items()), SHARED_SETTING):
        raise InputError(f"search.settings cannot hold {name}", hint="write [search.variants.NAME] tables")
    if len(set(table)) < len(table):
        raise InputError(f"the values of {name} in search.settings must differ", got=shown_value(table))


def single_and_paired_values(tables: Mapping[str, Sequence[object]]) -> Iterator[Overrides]:
    """Yield every value of every table, then every pair of values of two settings in related groups.

    Groups are related if a rule may hold between their settings: a group and itself, recognizer and clips.
    """
    for name, table in tables.items():
        yield from (((name, value),) for value in table)
    for (one, values), (other, other_values) in combinations(tables.items(), 2):
        groups = {split_name(one)[0], split_name(other)[0]}
        if len(groups) == 1 or groups == _RELATED_GROUPS:
            for value, other_value in product(values, other_values):
                yield (one, value), (other, other_value)


def is_network_setting(name: str) -> bool:
    """Return whether a setting changes the network: the recognizer, or the features that its heads read."""
    return name.partition(".")[0] == "recognizer" or name == "pass_2.heads"


def changes_pass_1(name: str) -> bool:
    """Return whether a setting changes pass 1, and so every later stage."""
    return name.partition(".")[0] not in ("pass_2", "pruning")


def changes_pass_2(name: str) -> bool:
    """Return whether a setting changes pass 2."""
    return name.partition(".")[0] != "pruning"


def is_ordered(table: Sequence[Any]) -> bool:
    """Return whether a table holds ascending numbers, so that a sampler may treat neighbors as similar."""
    return all(is_number(value) for value in table) and list(table) == sorted(set(table))


def is_number(value: object) -> bool:
    """Return whether a setting's value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: object) -> str:
    """Return a setting's value as TOML writes it, strings without quotes."""
    return value if isinstance(value, str) else json.dumps(value)
