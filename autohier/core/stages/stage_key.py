"""The key of a stage: a digest of all that its result depends on, so that trials share equal stages."""

from __future__ import annotations

from typing import Any

from autohier.config.key_defaults import key_content
from autohier.config.trial.training import OptimisationSettings
from autohier.core.stages.inputs import NetworkInputs, StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.digest import digest

_SCHEDULE_FIELDS = frozenset({"schedule", "schedule_options", "lr_patience", "lr_factor", "lr_steps"})
_UNREAD_FIELDS = {"adam": frozenset({"momentum", "nesterov"}), "sgd": frozenset[str]()}
"""Settings that an optimizer does not read."""
_OUTSIDE_SETTINGS = frozenset({"base", "parent_key", "parent_keys", "optimisation"})
"""Inputs that the key content has in other places."""


def stage_key(kind: StageKind, inputs: StageInputs) -> str:
    """Return the key of a stage: the sha256 of the canonical JSON of its `stage_key_content`."""
    return digest(stage_key_content(kind, inputs))


def stage_key_content(kind: StageKind, inputs: StageInputs) -> dict[str, Any]:
    """Return what the key of a stage is a digest of.

    It holds kind and version, the settings that the stage reads, parent keys, data fingerprint, seed and
    numerics class. A setting at its `KeyDefault` is left out, and so are options that the optimizer or the
    schedule does not read. Library versions are not in the key; they are recorded with the stage.
    """
    base = inputs.base
    settings = key_content(base, exclude=frozenset({"data", "seed", "numerics", "network"}))
    settings |= key_content(inputs, exclude=_OUTSIDE_SETTINGS)
    settings["network"] = _network_content(base.network)
    settings["optimisation"] = _optimisation_content(inputs.optimisation)
    return {
        "kind": kind.name,
        "version": kind.version,
        "settings": settings,
        "parents": list(inputs.parents),
        "data": base.data,
        "seed": base.seed,
        "numerics": base.numerics,
    }


def _network_content(network: NetworkInputs) -> dict[str, Any]:
    options = {name: value for name, value in network.options.items() if name not in network.at_key_default}
    return key_content(network, exclude=frozenset({"options", "at_key_default"})) | {"options": options}


def _optimisation_content(optimisation: OptimisationSettings) -> dict[str, Any]:
    schedule = {"name": optimisation.schedule, "options": key_content(optimisation.schedule_settings)}
    left_out = _SCHEDULE_FIELDS | _UNREAD_FIELDS[optimisation.optimizer]
    return key_content(optimisation, exclude=left_out) | {"schedule": schedule}
