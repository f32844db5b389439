"""Late fusion of finished trials: the content of a ``fusion.json``."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from autohier.config.file_format import FUSION_FORMAT
from autohier.config.frozen import FrozenModel
from autohier.config.trial.trial_config import TrialConfig

Weighting = Literal["search", "equal", "given"]


class Member(FrozenModel):
    """Finished trial in a fusion, and the places of its stages and clips."""

    sweep: str
    """Folder of its sweep."""
    trial: str
    """Name of the trial in its sweep."""
    config: TrialConfig
    """Config that the trial ran."""
    stage_keys: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = Field(min_length=2)
    """Stage keys of pass 1, pass 2, prune 1, ... up to the pass that was kept; one key per fold."""
    num_flat: PositiveInt = 1
    """Number of stages before pass 2: pass 1, or the bases of the recipe joint."""
    stage_folder: str
    """Folder of the stage store."""
    clip_folder: str
    """Folder of the clip store."""
    clips_fingerprint: str
    """Fingerprint of the clip store."""
    accuracy: float
    """Validation accuracy of the trial."""
    weight: NonNegativeFloat = 1.0
    """Fusion weight."""
    pass_name: str = ""
    """Pass of its chain that the user named, e.g. "prune-2"; empty for the one that the trial kept."""

    @property
    def selector(self) -> str:
        """Name in its sweep: TRIAL, or TRIAL@PASS."""
        return f"{self.trial}@{self.pass_name}" if self.pass_name else self.trial

    @property
    def name(self) -> str:
        """Display name, SWEEP:TRIAL or SWEEP:TRIAL@PASS."""
        return f"{PurePath(self.sweep).name}:{self.selector}"

    @property
    def kept_pass(self) -> int:
        """Index of the pruning pass that was kept; 0 is the unpruned pass 2."""
        return len(self.stage_keys) - self.num_flat - 1


class Fusion(FrozenModel):
    """Late fusion: finished trials whose class probabilities are averaged."""

    version: Literal[2] = FUSION_FORMAT
    """Format of the file."""
    members: tuple[Member, ...] = Field(min_length=2)
    """Fused trials."""
    weighting: Weighting
    """Source of the weights. search: those that maximize the likelihood of the validation clips; equal; or
    given by the user."""
    accuracy: float
    """Accuracy on the validation clips that all members share."""
    num_clips: int
    """Number of validation clips that all members share."""
    created_at: str
    """UTC, ISO 8601."""

    @property
    def stage_keys(self) -> tuple[str, ...]:
        """Stage keys of all members."""
        return tuple(key for member in self.members for stage in member.stage_keys for key in stage)
