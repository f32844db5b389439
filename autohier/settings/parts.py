"""The parts of a setting that a sweep holds fixed beside clips and recognizer: protocol, recipe, numerics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from autohier.settings.frozen import FrozenModel

Fraction = Annotated[float, Field(gt=0, lt=1)]


class ProtocolSettings(FrozenModel):
    """Which clips train, validate and test."""

    name: str = "cross-subject"
    """The dataset's published split: cross-subject, cross-view, ..."""
    validation: Literal["clean", "folds", "paper"] = "clean"
    """clean: held-out training subjects; folds: each of them in turn, and the mean counts; paper: a tenth of
    the test split, as HAC did (it leaks)."""
    held_out: tuple[int, ...] | None = None
    """clean: training subjects (or setups) that validate; the dataset's own choice where not given."""
    num_folds: Annotated[int, Field(ge=2)] = 4
    """folds: parts that the training subjects (or setups) are dealt into; each validates once."""

    @field_validator("name", mode="before")
    @classmethod
    def _may_be_a_number(cls, name: object) -> object:
        # UCF101's lists train1 and test1 are protocol 1, which --set reads as a number.
        return str(name) if isinstance(name, int) and not isinstance(name, bool) else name

    @model_validator(mode="after")
    def _somebody_validates(self) -> ProtocolSettings:
        if self.validation == "folds" and self.held_out is not None:
            raise ValueError(
                "protocol.held_out is for validation = 'clean'; folds hold out everybody in turn"
            )
        if self.held_out == ():
            raise ValueError("protocol.held_out must name somebody; leave it out for the data's own choice")
        return self

    @property
    def tested(self) -> str:
        """In which state a chosen trial's networks are tested."""
        refit = "refit on all training clips"
        return {"clean": f"as it is, and {refit}", "folds": refit, "paper": "as it is"}[self.validation]

    def holding_out(self, values: tuple[int, ...]) -> ProtocolSettings:
        """One fold: a clean split that holds out these, equal to any other that does."""
        return ProtocolSettings(name=self.name, held_out=values)


class OptimisationSettings(FrozenModel):
    """Adam and its schedule, shared by all stages; every stage starts both afresh."""

    batch_size: PositiveInt = 16
    learning_rate: PositiveFloat = 1e-4
    """At the start of a stage (one-cycle: its highest); pass_2 and pruning may have their own."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["plateau", "cosine", "one-cycle"] = "plateau"
    """plateau: the rate drops when the validation loss stalls (HAC); cosine: it falls to zero in a stage;
    one-cycle: it rises to learning_rate first, for networks that start from random weights."""
    lr_patience: PositiveInt = 2
    """plateau: epochs without a lower validation loss before the rate drops."""
    lr_factor: Fraction = 0.1
    """plateau: the rate is multiplied by this when it drops."""

    @property
    def follows_validation(self) -> bool:
        """Whether what validates steers the training, and not only the choice."""
        return self.schedule == "plateau"

    def starting_at(self, learning_rate: float | None) -> OptimisationSettings:
        """The same with another rate at the start; None changes nothing."""
        return self if learning_rate is None else self.model_copy(update={"learning_rate": learning_rate})


class Pass1Settings(FrozenModel):
    """Pass 1: cross-entropy after the last stack only."""

    epochs: PositiveInt = 20


class Pass2Settings(FrozenModel):
    """Pass 2: a weighted cross-entropy after every headed stack."""

    epochs: PositiveInt = 20
    learning_rate: PositiveFloat | None = None
    """At its start; optimisation.learning_rate where not given."""
    start: Literal["pass-1", "initial"] = "pass-1"
    """Weights it starts from: those of pass 1, or those pass 1 started from (HAC does not say)."""


class PruningSettings(FrozenModel):
    """What pruning passes have in common; scope, ratio and pass count are drawn."""

    epochs: PositiveInt = 10
    """Retraining after each pass."""
    learning_rate: PositiveFloat | None = None
    """At the start of each retraining; optimisation.learning_rate where not given."""
    norm: Literal["l2", "layer-mean"] = "l2"
    """Rank filters by their l2 norm (HAC) or by it over their layer's mean norm."""
    floor: PositiveInt = 1
    """Filters that every layer keeps."""
    ties: Literal["drop", "hold"] = "drop"
    """Reading of the stop rule where an accuracy is equalled."""


class NumericsSettings(FrozenModel):
    """What changes the last bits of a result."""

    precision: Literal["float32", "bf16"] = "float32"
    """bf16: autocast on accelerators; the CPU always computes in float32."""
    deterministic: bool = True
    compile: bool = False
    """torch.compile on accelerators."""
