"""Settings in files of older versions: a setting that a file lacks has the value at which it changes nothing.

The default of a setting is what users get today. A stored sweep or network was computed before the setting
existed, so the setting takes its key default instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from autohier.config.key_defaults import added_settings
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.overrides import GROUPS, TAGS

SETTINGS_REVISION: Final = 2
"""Revision of the settings in ``sweep.json``. Files without one were written before any setting had a default
that differs from its key default. Before revision 2, all paths were absolute."""


def fill_stored_space(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON values of a stored space, with the settings that it lacks at their key defaults.

    Args:
        values: space as an older version wrote it.
    """
    groups = {group: _fill_group(group, values[group]) for group in GROUPS if group in values}
    search = dict(values.get("search", {}))
    variants = {name: _fill_variant(table) for name, table in search.get("variants", {}).items()}
    return {**values, **groups, "search": search | {"variants": variants}}


def _fill_group(group: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    if group in TAGS:
        settings: type[BaseModel] = TAGS[group].find_class(stored)
    else:
        settings = type(SearchSpace.model_fields[group].get_default())
    return added_settings(settings) | dict(stored)


def _fill_variant(table: Mapping[str, Any]) -> dict[str, Any]:
    """Fill a variant: a new recognizer or clip input resets its group to today's defaults."""
    added = {
        f"{group}.{field}": value
        for group, tag in TAGS.items()
        if f"{group}.{tag.tag}" in table
        for field, value in added_settings(tag.find(str(table[f"{group}.{tag.tag}"]))).items()
    }
    return added | dict(table)
