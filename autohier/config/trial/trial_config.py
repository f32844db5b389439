"""Config of one trial."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from autohier.config.frozen import FrozenModel
from autohier.config.trial.clips import ClipSettings
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.recipes import DEFAULT_RECIPE, RecipeName
from autohier.config.trial.recognizers import AnyRecognizerSettings
from autohier.config.trial.training import (
    NumericsSettings,
    OptimisationSettings,
    Pass1Settings,
    Pass2Settings,
    PruningSettings,
)

HierarchySource = Literal["derived", "given"]
Objective = Literal["accuracy", "mean-class"]
SecondObjective = Literal["multiply-adds"]


class TrialConfig(FrozenModel):
    """Everything that one trial runs: the fixed settings, the sampled hyperparameters and the seed."""

    dataset: str
    """Registered name of the dataset."""
    num_classes: PositiveInt
    """Number of classes of the dataset."""
    hierarchy: HierarchySource
    """Source of the superclasses; see `SearchSpace.hierarchy`."""
    recipe: RecipeName = DEFAULT_RECIPE
    """Recipe: the stages of the trial and their order."""
    protocol: ProtocolSettings
    """Clips that train, validate and test."""
    clips: ClipSettings
    """Clip input that the recognizer reads."""
    recognizer: AnyRecognizerSettings
    """Recognizer and its options."""
    optimisation: OptimisationSettings
    """Optimizer and learning-rate schedule of every stage."""
    pass_1: Pass1Settings
    """Pass 1."""
    pass_2: Pass2Settings
    """Pass 2."""
    pruning: PruningSettings
    """Pruning passes."""
    numerics: NumericsSettings
    """Precision and determinism."""
    params: Hyperparameters
    """Sampled hyperparameters."""
    seed: int
    """Seed of the trial."""
    objective: Objective = "accuracy"
    """Measurement that the stop rule and the choice of the kept pass compare; see `SearchRanges`."""
    second_objective: SecondObjective | None = None
    """Cost that the search minimizes, so that a chain may end later; see `SearchRanges`."""
    max_multiply_adds: int | None = None
    """Bound on the multiply-adds of the kept pass; see `SearchRanges`."""
