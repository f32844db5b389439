"""What a finished stage tells: its measurements, cost and place in the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.training.metrics import EpochMetrics

StageKind = Literal["pass-1", "pass-2", "prune"]


@dataclass(frozen=True, slots=True)
class StageResult:
    """One finished stage of a trial, computed or found in the stage store."""

    kind: StageKind
    key: str
    """Sha256 of all that the stage depends on; its name in the stage store."""
    parent_key: str | None
    pass_index: int
    """0 for pass 1 and pass 2, k for the k-th pruning pass."""
    hierarchy: Hierarchy
    epochs: tuple[EpochMetrics, ...]
    stack_accuracies: tuple[float, ...]
    """Validation accuracies after the stage, probabilities averaged over clip sets."""
    confusion_KK: npt.NDArray[np.int64]
    """Validation confusion: true class by row, predicted class by column."""
    cost: Cost
    """Of the network with its dead filters removed."""
    seconds: float
    """What computing it took, on whoever computed it."""
    reused: bool
    """True where it was found in the stage store."""
    num_restored: int = 0
    """Epochs that were found in its checkpoint, trained by another process."""

    @property
    def accuracy(self) -> float:
        """Validation accuracy in the original classes."""
        return self.stack_accuracies[-1]

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rate at the start of every epoch."""
        return tuple(metrics.learning_rate for metrics in self.epochs)

    def fold(self, index: int) -> StageResult:  # noqa: ARG002
        """The same of one fold; of a trial without folds itself."""
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Its names in the stage store."""
        return (self.key,)

    @property
    def epochs_spared(self) -> int:
        """Epochs that whoever asked for the stage did not train."""
        return len(self.epochs) if self.reused else self.num_restored

    @property
    def seconds_spared(self) -> float:
        """What they had taken."""
        found = self.epochs[: self.num_restored]
        return self.seconds if self.reused else sum(metrics.seconds for metrics in found)

    @property
    def label(self) -> str:
        """How people see it: "pass 1", "pass 2", "prune 3"."""
        return stage_label(self.kind, self.pass_index)


def stage_label(kind: StageKind, pass_index: int) -> str:
    """How people see a stage: "pass 1", "pass 2", "prune 3"."""
    return f"prune {pass_index}" if kind == "prune" else kind.replace("-", " ")
