"""Results of finished stages: measurements, cost and place in the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from autohier.config.trial.training import HeadPlacement
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.stages.kinds.base import StageKind
from autohier.core.training.metrics import EpochMetrics, Objective, mean_class_accuracy


@dataclass(frozen=True, slots=True)
class StageResult:
    """Result of one finished stage, trained or reused from the stage store."""

    kind: StageKind
    key: str
    """Digest of everything that the stage depends on; its name in the stage store."""
    parent_key: str | None
    """The stage whose weights it starts from; None if it starts from the initial ones, or from several."""
    pass_index: int
    """k for the k-th pruning pass, 0 for other stages."""
    hierarchy: Hierarchy
    epochs: tuple[EpochMetrics, ...]
    stack_accuracies: tuple[float, ...]
    """Validation accuracies after the stage, with probabilities averaged over frame sets."""
    confusion_KK: npt.NDArray[np.int64]
    """Validation confusion of the last head: true class by row, predicted class by column."""
    cost: Cost
    """Cost of the network with its dead filters removed."""
    seconds: float
    """Training time, on the machine that trained it."""
    reused: bool
    """True if it was in the stage store."""
    num_restored: int = 0
    """Epochs restored from a checkpoint of another process."""
    stack_top5_accuracies: tuple[float, ...] = ()
    """Validation top-5 accuracies after the stage; empty in files of older versions."""
    stack_mean_class_accuracies: tuple[float, ...] = ()
    """Means of the superclasses' validation accuracies after the stage; empty in files of older versions."""
    heads: HeadPlacement = "stacks"
    """Features that the heads of the network read."""
    parent_keys: tuple[str, ...] = ()
    """The stages whose weights it starts from, if they are several."""
    pathway_accuracies: Mapping[str, float] = field(default_factory=dict)
    """Validation accuracy of each pathway alone after the stage, by its name; empty if the network has one,
    and in files of older versions."""

    @property
    def accuracy(self) -> float:
        """Validation accuracy in the original classes, or in the superclasses that a base is trained for."""
        return self.stack_accuracies[-1]

    @property
    def mean_class_accuracy(self) -> float:
        """Mean of the original classes' validation accuracies."""
        if self.stack_mean_class_accuracies:
            return self.stack_mean_class_accuracies[-1]
        return mean_class_accuracy(self.confusion_KK)

    def measure(self, objective: Objective) -> float:
        """Return the objective's value on the validation clips."""
        return self.accuracy if objective == "accuracy" else self.mean_class_accuracy

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rate at the start of every epoch."""
        return tuple(metrics.learning_rate for metrics in self.epochs)

    def fold(self, index: int) -> StageResult:  # noqa: ARG002
        """Return the result of one fold; the result itself if the trial has no folds."""
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the stage store, one for each fold."""
        return (self.key,)

    @property
    def epochs_reused(self) -> int:
        """Number of epochs that this trial did not train itself."""
        return len(self.epochs) if self.reused else self.num_restored

    @property
    def seconds_reused(self) -> float:
        """Training time of the reused epochs."""
        restored = self.epochs[: self.num_restored]
        return self.seconds if self.reused else sum(metrics.seconds for metrics in restored)

    @property
    def label(self) -> str:
        """Display name: "pass 1", "pass 2", "prune 3"."""
        return self.kind.label(self.pass_index)
