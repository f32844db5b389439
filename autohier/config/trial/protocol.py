"""Settings of the protocol: the clips that train, validate and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from autohier.config.frozen import FrozenModel, check_different
from autohier.config.key_defaults import KeyDefault


class ProtocolSettings(FrozenModel):
    """Clips that train, validate and test."""

    name: str = "cross-subject"
    """Published split of the dataset, e.g. cross-subject or cross-view."""
    validation: Literal["auto", "listed", "clean", "folds", "paper"] = "auto"
    """Source of the validation clips. auto: listed if the source has a validation list; else folds if a
    single hold-out would leave fewer than 50 clips or 5 a class; else clean. listed: the source's validation
    list; clean: held-out training subjects; folds: cross-validation over the training subjects, whose mean
    accuracy counts; paper: a tenth of the test split, as in HAC (it leaks)."""
    held_out: tuple[int, ...] | None = None
    """clean: training subjects (or setups) that validate; None takes the dataset's own choice."""
    drop_duplicates: Annotated[bool, KeyDefault(False)] = False
    """True leaves out training clips whose content a test or validation clip has; test clips always stay."""
    clips_per_class: Annotated[PositiveInt | None, KeyDefault(None)] = None
    """Number of training clips of each class, sampled by the seed of the trial; a class with fewer keeps all.
    Validation and test clips stay. None trains on all."""
    num_folds: Annotated[int, Field(ge=2)] = 4
    """folds: number of folds that the training subjects (or setups) are split into; each validates once."""

    @field_validator("name", mode="before")
    @classmethod
    def _accept_number(cls, name: object) -> object:
        # The protocols of UCF101 are called 1, 2 and 3, which --set reads as numbers.
        return str(name) if isinstance(name, int) and not isinstance(name, bool) else name

    @field_validator("held_out")
    @classmethod
    def _check_different(cls, held_out: tuple[int, ...] | None) -> tuple[int, ...] | None:
        check_different(held_out or ())
        return held_out

    @model_validator(mode="after")
    def _check_held_out(self) -> ProtocolSettings:
        if self.validation in {"folds", "listed"} and self.held_out is not None:
            instead = "holds out every subject once" if self.validation == "folds" else "has a list instead"
            raise ValueError(
                f"protocol.held_out needs validation = 'clean'; '{self.validation}' {instead}; "
                "add --set protocol.validation=clean, or leave protocol.held_out out"
            )
        if self.held_out == ():
            raise ValueError("protocol.held_out must not be empty; leave it out for the dataset's own choice")
        return self

    @property
    def tested(self) -> str:
        """Networks of the winner that are tested, for messages."""
        refit = "refit on all training clips"
        if self.validation == "folds":
            return refit
        return "as it is" if self.validation == "paper" else f"as it is, and {refit}"

    def holding_out(self, values: tuple[int, ...]) -> ProtocolSettings:
        """Return the clean protocol of one fold, which holds out these subjects (or setups)."""
        return ProtocolSettings(
            name=self.name,
            validation="clean",
            held_out=values,
            drop_duplicates=self.drop_duplicates,
            clips_per_class=self.clips_per_class,
        )
