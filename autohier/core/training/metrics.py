"""What training and evaluation measure.

Legend: N clips, K classes; stacks are listed front to back, the last one holds the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a network, or several together, take single clips for."""

    clip_ids: tuple[str, ...]
    labels_N: npt.NDArray[np.int64]
    probabilities_NK: npt.NDArray[np.float32]
    """In the original classes, averaged over clip sets."""

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Whether a clip's most probable class is its own: [N]."""
        right: npt.NDArray[np.bool_] = self.probabilities_NK.argmax(axis=1) == self.labels_N
        return right

    @property
    def accuracy(self) -> float:
        """Share of clips whose class is right."""
        return float(self.is_right.mean())

    @property
    def class_sizes(self) -> npt.NDArray[np.int64]:
        """Clips of every class: [K]."""
        return self._count(self.labels_N)

    @property
    def class_accuracies(self) -> npt.NDArray[np.float64]:
        """Share of every class's clips that are right: [K]; NaN for a class without clips."""
        with np.errstate(invalid="ignore"):
            return self._count(self.labels_N[self.is_right]) / self.class_sizes

    @property
    def mean_class_accuracy(self) -> float:
        """Mean of the accuracies of the classes that have clips."""
        return float(np.nanmean(self.class_accuracies))

    def of(self, clip_ids: Sequence[str]) -> Predictions:
        """The same of some of its clips, in the order given.

        Raises:
            KeyError: where there is nothing on one of them.
        """
        rows = {clip_id: row for row, clip_id in enumerate(self.clip_ids)}
        chosen = [rows[clip_id] for clip_id in clip_ids]
        return Predictions(tuple(clip_ids), self.labels_N[chosen], self.probabilities_NK[chosen])

    def _count(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(labels, minlength=self.probabilities_NK.shape[1])
