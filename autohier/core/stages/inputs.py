"""Inputs of stages, as types. A stage reads its inputs only, and its key is a digest of them.

Pass 2 is keyed by the class assignments, not by the counts or the confusion matrix that they come from, so
that trials with the same superclasses share it. The pass cap and the stop rule are in no key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from autohier.config.frozen import FrozenModel
from autohier.config.key_defaults import KeyDefault
from autohier.config.trial.clips import ClipSettings
from autohier.config.trial.hyperparameters import Scope
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.training import HeadPlacement, OptimisationSettings
from autohier.core.stages.network_description import TrainingClips


class NetworkInputs(FrozenModel):
    """Which network is built, and the weights that it starts from."""

    name: str
    options: dict[str, Any]
    """Arguments of autohier.models.build_recognizer: settings, and what follows from the data."""
    at_key_default: tuple[str, ...] = ()
    """Options at their key default, which the key leaves out."""
    weights_sha256: str | None
    """Digest of the 2D weights that are inflated; their path does not matter."""
    inflation: Annotated[Literal["centre", "mean"], KeyDefault("centre")] = "centre"
    """Inflation of these weights; "centre" without any."""
    start_sha256: Annotated[str | None, KeyDefault(None)] = None
    """Digest of the starting weights by the recognizer's names, for its joints; None if there are none."""
    num_classes: int


class BaseInputs(FrozenModel):
    """Inputs that all stages of a trial share."""

    data: str
    """Fingerprint of the clip store."""
    protocol: ProtocolSettings
    all_training_clips: Annotated[bool, KeyDefault(False)] = False
    """True if the validation clips train too."""
    clips: ClipSettings
    network: NetworkInputs
    numerics: dict[str, str]
    """Numerics class: device kind, precision, determinism, compilation, micro-batches."""
    seed: int

    @property
    def training_clips(self) -> TrainingClips:
        """The clips that its stages train on."""
        return TrainingClips(
            data=self.data,
            protocol=self.protocol,
            all_training_clips=self.all_training_clips,
            seed=self.seed,
        )


class StageInputs(FrozenModel):
    """Inputs of any stage. Base class of the inputs of each kind."""

    base: BaseInputs
    optimisation: OptimisationSettings
    epochs: int
    rates: Annotated[tuple[float, ...], KeyDefault(())] = ()
    """Learning rate of every epoch; empty if the schedule decides."""
    parent_key: str | None = None
    """The stage whose weights it starts from; None if it starts from the initial ones, or from several."""
    parent_keys: tuple[str, ...] = ()
    """The stages whose weights it starts from, if they are several."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Keys of all stages whose weights it starts from."""
        return self.parent_keys or ((self.parent_key,) if self.parent_key else ())


class Pass1Inputs(StageInputs):
    """Inputs of pass 1: no searched hyperparameter, so that all trials of a sweep and seed share it."""


class Pass2Inputs(StageInputs):
    """Inputs of pass 2: the superclasses and the loss weights."""

    assignments: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]
    """Loss weight of every head."""
    heads: Annotated[HeadPlacement, KeyDefault("stacks")] = "stacks"
    """Features that the heads read."""


class BaseStageInputs(StageInputs):
    """Inputs of a base of the recipe joint: the level that it is trained for."""

    target: tuple[int, ...]
    """Superclass of every class at this level; the classes themselves at the finest."""


class JointInputs(StageInputs):
    """Inputs of the joint stage: the superclasses, the loss weights and the bases, coarse to fine."""

    assignments: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]
    """Loss weight of every head."""
    heads: HeadPlacement
    """Features that the heads read."""
    parent_keys: tuple[str, ...]


class AttentionInputs(StageInputs):
    """Inputs of the attention stage: the bases of all members, in their order in the trial."""

    parent_keys: tuple[str, ...]


class PruneInputs(StageInputs):
    """Inputs of prune k: its parent (prune k-1 or pass 2), the scope and the ratio."""

    norm: Literal["l2", "layer-mean"]
    floor: int
    scope: Scope
    ratio: float
    weights: tuple[float, ...]
    """Loss weight of every head, as in pass 2."""
    parent_key: str


_MICRO_BATCHES = "micro_batches"

StageInputsT = TypeVar("StageInputsT", bound=StageInputs)


def in_micro_batches(inputs: StageInputsT, number: int) -> StageInputsT:
    """Return the inputs with each batch computed in parts. The numbers differ, and so does the key."""
    numerics = inputs.base.numerics | {_MICRO_BATCHES: str(number)}
    return inputs.model_copy(update={"base": inputs.base.model_copy(update={"numerics": numerics})})


def num_micro_batches(inputs: StageInputs) -> int:
    """Return the number of parts that each batch of a stage is computed in."""
    return int(inputs.base.numerics.get(_MICRO_BATCHES, 1))
