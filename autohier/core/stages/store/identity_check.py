"""Identity of a stored stage: its description must be that of the kind and key under which it lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autohier.core.stages.kinds.base import StageKind
from autohier.digest import digest
from autohier.errors import StageDamagedError

_KEY = re.compile(r"[0-9a-f]{64}")
_SCHEDULE = "schedule"


def is_stage_key(text: str) -> bool:
    """Return True if a text has the form of a stage key, a SHA-256. Records and fusions name keys too."""
    return _KEY.fullmatch(text) is not None


def check_identity(description: Mapping[str, Any], kind: StageKind, key: str) -> None:
    """Check that a description states this kind and key, and that the key follows from its inputs.

    The key must be the digest of the stored key content, which the inputs must contain. The key content is
    stored because a later version of autohier may leave other settings out of keys.

    Raises:
        StageDamagedError: if the description is that of another stage.
    """
    stated = (description["kind"], description["key"])
    if stated != (kind.name, key):
        raise StageDamagedError(
            f"the stage {key[:12]} must be of kind {kind.name} and have that key",
            got=f"{stated[0]} {str(stated[1])[:12]}",
        )
    content, inputs = description["key_content"], description["inputs"]
    if digest(content) != key or content["kind"] != kind.name:
        raise StageDamagedError(f"the key of stage {key[:12]} must be the digest of its key content")
    differing = _differing(content, inputs)
    if differing is not None or content["parents"] != _parents(description):
        raise StageDamagedError(
            f"the stage {key[:12]} must have the inputs of its key", got=f"another {differing or 'parent'}"
        )
    _check_hierarchy(description, key)


def _parents(description: Mapping[str, Any]) -> list[str]:
    """Return the parents that a description or its inputs state; those of older versions have at most one."""
    parents, parent = description.get("parent_keys", []), description["parent_key"]
    return [*parents, *([] if parent is None else [parent])]


def _differing(content: Mapping[str, Any], inputs: Mapping[str, Any]) -> str | None:
    """Return the name of a part of the key content that the inputs lack; None if they have all."""
    base = inputs["base"]
    optimisation = dict(content["settings"]["optimisation"])
    pairs = {name: (content[name], base[name]) for name in ("data", "seed", "numerics")}
    pairs["parents"] = (content["parents"], _parents(inputs))
    pairs[_SCHEDULE] = (optimisation.pop(_SCHEDULE)["name"], inputs["optimisation"][_SCHEDULE])
    for name, value in content["settings"].items():
        own = optimisation if name == "optimisation" else value
        pairs[name] = (own, inputs[name] if name in inputs else base[name])
    return next((name for name, (part, whole) in pairs.items() if not _is_part(part, whole)), None)


def _is_part(part: object, whole: object) -> bool:
    """Return True if a value equals another one, or a group's values are parts of another group's."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _is_part(value, whole[name]) for name, value in part.items())
    return part == whole


def _check_hierarchy(description: Mapping[str, Any], key: str) -> None:
    hierarchy, inputs = description["hierarchy"], description["inputs"]
    num_classes = inputs["base"]["network"]["num_classes"]
    ends_in_classes = hierarchy[-1] == [*range(num_classes)]
    if "assignments" in inputs:
        is_own = inputs["assignments"] == hierarchy and len(hierarchy[-1]) == num_classes
    else:
        is_own = [inputs["target"]] == hierarchy if "target" in inputs else ends_in_classes
    if not is_own:
        raise StageDamagedError(
            f"the stage {key[:12]} must have the hierarchy of its inputs, with {num_classes} classes",
            got=f"one of {len(hierarchy[-1])} classes",
        )
