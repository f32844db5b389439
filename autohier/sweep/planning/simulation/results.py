"""Costs that a simulated sweep counts with, and what it returns: its trials, epochs and seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.kinds.base import StageKind


@dataclass(frozen=True, slots=True)
class EpochCosts:
    """Seconds of one accelerator for one epoch of each stage kind, and for evaluations after training."""

    pass_1_s: float
    pass_2_s: float
    pruning_s: float
    closing_s: float = 0.0
    """To evaluate a stage after its last epoch, on all frame sets."""
    reading_s: float = 0.0
    """To evaluate one network on the test split."""
    own_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds of one epoch by the name of a kind, of a recipe with other kinds than HAC's."""

    def epoch_s(self, kind: StageKind) -> float:
        """Return the seconds of one epoch, validation included."""
        if kind.name in self.own_s:
            return self.own_s[kind.name]
        if kind.is_flat:
            return self.pass_1_s
        return self.pruning_s if kind.is_pruning else self.pass_2_s


Costs = EpochCosts | Mapping[str, EpochCosts]
"""Costs of every variant by its name, or the same for all."""


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """A trial of a simulated sweep, complete or stopped."""

    config: TrialConfig
    curve: tuple[float, ...]
    """Value after each epoch of pass 2 that the trial went through, trained or reused."""
    chain: tuple[float, ...]
    """Value of pass 2 and of each pruning pass."""
    is_complete: bool
    own_epochs: int
    """Epochs that the trial went through, trained or reused."""
    epochs: int
    """Epochs that all trials together had trained when this one ended."""
    effort: Mapping[str, float] = field(default_factory=dict)
    """Epochs and seconds that the trial trained itself, as a study counts them for a budget."""


@dataclass(frozen=True, slots=True)
class SimulatedSweep:
    """Epochs, seconds and results of a simulated sweep."""

    epochs: int
    epochs_alone: int
    """Epochs if the same trials shared no stages and none was stopped."""
    seconds: float
    """Sum over accelerators of the time that they compute."""
    seconds_alone: float
    wall_s: float
    """Time until the last trial ends."""
    num_stages: int
    """Number of finished stages."""
    num_unfinished: int
    """Stages that stopped trials left unfinished, each with an epoch checkpoint."""
    num_trials: int
    num_stopped: int
    best: float
    """Highest validation accuracy of a completed trial."""
    winner_stages: int
    """Stages of the winner's refit, after the last trial; 0 without clean validation."""
    winner_epochs: int
    winner_s: float
    """Seconds of one accelerator to refit the winner and to evaluate it on the test split."""
    winner_wall_s: float
    """Time that this takes after the last trial."""
    asks_s: tuple[float, ...] = field(compare=False)
    """Real seconds that the searcher took to sample each trial."""
    trials: tuple[EndedTrial, ...] = ()
    """In the order in which they ended."""
