"""What each stage reads, as types: a stage can only read its inputs, and its inputs are its key.

Pass 2 is keyed by the assignments, not by the counts or the confusion matrix that led to them, so that
trials which agree on the superclasses share it. The pass cap and the stop rule are in no key.
"""

from __future__ import annotations

from typing import Any, Literal

from autohier.core.stages.result import StageKind
from autohier.digest import digest
from autohier.settings.choice import Scope
from autohier.settings.clips import ClipSettings
from autohier.settings.frozen import FrozenModel
from autohier.settings.parts import OptimisationSettings, ProtocolSettings

_VERSIONS: dict[StageKind, int] = {"pass-1": 4, "pass-2": 4, "prune": 4}
"""Raised when what a stage computes changes, so that older artifacts are not taken for it."""


class NetworkInputs(FrozenModel):
    """Which network is built, and what it starts from."""

    name: str
    options: dict[str, Any]
    """What autohier.models.build_recognizer is given: settings, and what follows from the data."""
    weights_sha256: str | None
    """Digest of the 2D weights that are inflated; their path does not matter."""
    num_classes: int


class Basis(FrozenModel):
    """What all stages of a trial stand on."""

    data: str
    """The clip store's fingerprint."""
    protocol: ProtocolSettings
    all_training_clips: bool = False
    """True where the validation clips train too."""
    clips: ClipSettings
    network: NetworkInputs
    numerics: dict[str, str]
    """Precision, determinism, device kind, torch version, micro-batches: what changes the last bits."""
    seed: int


class _Training(FrozenModel):
    """What every stage depends on."""

    basis: Basis
    optimisation: OptimisationSettings
    epochs: int
    rates: tuple[float, ...] = ()
    """The learning rate of every epoch, where no schedule decides."""


class Pass1Inputs(_Training):
    """Pass 1 has no searched setting: all trials of a sweep and seed share it."""


class Pass2Inputs(_Training):
    """Pass 2 depends on the superclasses and the loss weights."""

    assignments: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]
    parent_key: str | None
    """The pass 1 whose weights it starts from; None where it starts from the initial ones."""


class PruneInputs(_Training):
    """Prune k depends on prune k-1 (or pass 2), the scope and the ratio."""

    norm: Literal["l2", "layer-mean"]
    floor: int
    scope: Scope
    ratio: float
    weights: tuple[float, ...]
    """Loss weight of every headed stack, as in pass 2."""
    parent_key: str


StageInputs = Pass1Inputs | Pass2Inputs | PruneInputs

_MICRO_BATCHES = "micro_batches"


def in_micro_batches(inputs: StageInputs, number: int) -> StageInputs:
    """The same stage with each batch computed in parts: other numbers, and so another key."""
    numerics = inputs.basis.numerics | {_MICRO_BATCHES: str(number)}
    return inputs.model_copy(update={"basis": inputs.basis.model_copy(update={"numerics": numerics})})


def num_micro_batches(inputs: StageInputs) -> int:
    """Parts that each batch of a stage is computed in."""
    return int(inputs.basis.numerics.get(_MICRO_BATCHES, 1))


def stage_key(kind: StageKind, inputs: StageInputs) -> str:
    """The name of a stage: sha256 over its kind, version and inputs."""
    return digest({"kind": kind, "version": _VERSIONS[kind], "inputs": inputs.model_dump(mode="json")})
