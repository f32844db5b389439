"""What training and evaluation measure.

Legend: K classes; stacks are listed front to back, the last one holds the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One epoch of training and the validation after it."""

    epoch: int
    """Within its stage, from 0."""
    learning_rate: float
    loss: float
    """Mean over training clips of the weighted sum of the stacks' cross-entropies."""
    stack_losses: tuple[float, ...]
    """Mean cross-entropy of every headed stack, without its weight."""
    validation_loss: float
    stack_accuracies: tuple[float, ...]
    """Validation accuracy of every headed stack in its own superclasses, in [0, 1]."""
    seconds: float
    num_clips: int
    """Training clips seen."""

    @property
    def accuracy(self) -> float:
        """Validation accuracy in the original classes."""
        return self.stack_accuracies[-1]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EpochMetrics:
        """From its fields as a file holds them, where tuples are lists."""
        lists = {name: tuple(row[name]) for name in ("stack_losses", "stack_accuracies")}
        return cls(**{**row, **lists})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a network scores on one part of the data, probabilities averaged over clip sets."""

    loss: float
    """Weighted, of the averaged probabilities."""
    stack_accuracies: tuple[float, ...]
    confusion_KK: npt.NDArray[np.int64]
    """Clips by true class (rows) and predicted class (columns), of the last stack."""

    @property
    def accuracy(self) -> float:
        """Share of clips whose class is right."""
        return self.stack_accuracies[-1]

    @property
    def num_clips(self) -> int:
        """Clips that were scored."""
        return int(self.confusion_KK.sum())
