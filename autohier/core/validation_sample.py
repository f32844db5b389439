"""Some validation clips of a finished trial, with the network that has not seen them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.data_loader import DataLoader
from autohier.models.hierarchical import HierarchicalRecognizer


@dataclass(frozen=True, slots=True)
class ValidationSample:
    """A trained network, and validation clips for it."""

    network: HierarchicalRecognizer
    stage: StageResult
    """The stage that trained it."""
    loader: DataLoader
    """Its validation split holds the clips of the sample alone."""

    @property
    def num_clips(self) -> int:
        """Number of clips of the sample."""
        return self.loader.num_clips("validation")


def sample_validation(trial: TrialSetup, kept: StageResult, *, num_clips: int) -> ValidationSample:
    """Return validation clips of a trial, evenly chosen, with the network of one of its stages.

    Of a trial with folds, the first fold's network is taken, with clips that it has not seen.

    Args:
        trial: the finished trial.
        kept: a pass of its chain; of a trial with folds, that of all or of the first.
        num_clips: maximum number of clips.

    Raises:
        StageDamagedError: if the weights of the pass are missing or damaged.
    """
    own = (trial.folds(CallbackList()) or [trial])[0]
    stage = kept.fold(0)
    network = cast("HierarchicalRecognizer", own.load_network(stage))
    loader = own.data_loader
    rows = loader.rows("validation")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(num_clips, len(rows))).round().astype(np.int64))
    loader = replace(loader, split=replace(loader.split, validation=rows[chosen]))
    return ValidationSample(network, stage, loader)
