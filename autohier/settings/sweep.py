"""What a sweep was started with: frozen in its ``sweep.json``, from which everything else follows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from autohier.errors import InputError
from autohier.settings.frozen import FrozenModel
from autohier.settings.space import Space

SamplerName = Literal["tpe", "gp", "random"]
Stopping = Literal["none", "halving"]

_SQLITE = "sqlite:///"


class SweepPlan(FrozenModel):
    """One sweep: a space, how it is searched, and on what machines."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    space: Space
    trials: PositiveInt
    """Total number of settings to run; ``resume --trials`` raises it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    sampler: SamplerName = "tpe"
    stopping: Stopping = "halving"
    """Whether weak trials are stopped at rungs."""
    warm_from: tuple[str, ...] = ()
    """Folders of sweeps whose results the study was told when it began."""
    storage: str | None = None
    """Optuna storage URL; None keeps the study in the sweep's own journal file."""
    study_name: str
    """Unique where sweeps share a database."""
    data_folder: str
    """Where prepared datasets lie."""
    clips_fingerprint: str | None = None
    """Of the clips that the sweep began with."""
    stage_folder: str
    """Where finished stages lie; sweeps beside each other share it."""
    parallel: PositiveInt | None = None
    """Trials at a time; None runs as many as the machines hold."""
    cpus_per_trial: PositiveFloat | None = None
    """None takes one, or where trials hold GPUs as many as the machine has per trial."""
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    """None takes one where there is any, else none."""
    failures_in_a_row: PositiveInt = 5
    """Of one class: so many stop the sweep, for their cause is not in the settings."""
    ray_address: str | None = None
    """A running cluster; None starts Ray on this machine."""

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in {"stages", "fusions"}:
            raise ValueError(f"{name!r} is where {name} lie, choose another name")
        return name

    @field_validator("space")
    @classmethod
    def _variants_differ(cls, space: Space) -> Space:
        try:
            space.require_different_variants()
        except InputError as error:
            raise ValueError(str(error)) from error
        return space

    @field_validator("storage")
    @classmethod
    def _absolute(cls, url: str | None) -> str | None:
        # A sweep may be resumed from another folder.
        relative = url.removeprefix(_SQLITE) if url and url.startswith(_SQLITE) else ""
        return f"{_SQLITE}{Path(relative).resolve()}" if relative and relative[0] != "/" else url

    @field_validator("ray_address")
    @classmethod
    def _not_a_client(cls, address: str | None) -> str | None:
        if address and "://" in address:
            raise ValueError(f"a cluster is joined as host:port from one of its machines, not as {address}")
        return address


class Provenance(FrozenModel):
    """Where the numbers of a sweep come from."""

    autohier: str
    python: str
    torch: str
    ray: str
    optuna: str
    git_commit: str | None
    """Of the folder the command ran in; None outside a checkout, with ``+changes`` where it was not clean."""
    command: tuple[str, ...]
    created_at: str
    """UTC, ISO 8601."""
