"""What a fusion is: frozen in its ``fusion.json``, from which its members' networks are found."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from autohier.settings.frozen import FrozenModel
from autohier.settings.space import Setting

Weighting = Literal["search", "equal", "given"]


class Member(FrozenModel):
    """A finished trial, and where all that it needs lies."""

    sweep: str
    """Folder of its sweep."""
    trial: str
    setting: Setting
    stage_keys: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = Field(min_length=2)
    """Names in the stage store of pass 1, pass 2, prune 1, ... up to the pass that was kept; one per fold."""
    stage_folder: str
    clip_folder: str
    clips_fingerprint: str
    accuracy: float
    """On validation."""
    weight: NonNegativeFloat = 1.0

    @property
    def name(self) -> str:
        """How people call it: SWEEP:TRIAL."""
        return f"{PurePath(self.sweep).name}:{self.trial}"

    @property
    def kept_pass(self) -> int:
        """0 keeps pass 2 unpruned, k keeps the k-th pruning pass."""
        return len(self.stage_keys) - 2


class Fusion(FrozenModel):
    """Finished trials whose probabilities are averaged."""

    version: Literal[1] = 1
    members: tuple[Member, ...] = Field(min_length=2)
    weighting: Weighting
    """search: weights under which the validation clips are likeliest; equal; or given by the user."""
    accuracy: float
    """On the validation clips that all members have."""
    num_clips: int
    """How many these are."""
    created_at: str
    """UTC, ISO 8601."""

    @property
    def stage_keys(self) -> tuple[str, ...]:
        """Names in their stage stores of all that its members stand on."""
        return tuple(key for member in self.members for stage in member.stage_keys for key in stage)
