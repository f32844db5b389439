"""Measurements of training and evaluation.

Legend: N clips, K classes; heads are listed coarse to fine, the last one scores the classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Objective = Literal["accuracy", "mean-class"]
"""Measurement that a search maximizes."""

NUM_TOP: Final = 5
"""Number of guesses of the top-5 accuracy."""


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One epoch of training and the validation after it."""

    epoch: int
    """Index within its stage, from 0."""
    learning_rate: float
    loss: float
    """Mean over training clips of the weighted sum of the heads' cross-entropies, and of the auxiliary
    loss."""
    stack_losses: tuple[float, ...]
    """Mean cross-entropy of every head, without its weight."""
    validation_loss: float
    stack_accuracies: tuple[float, ...]
    """Validation accuracy of every head in its own superclasses, in [0, 1]."""
    seconds: float
    num_clips: int
    """Number of training clips read, repeats included."""
    stack_top5_accuracies: tuple[float, ...] = ()
    """Validation top-5 accuracy of every head; empty in files of older versions."""
    stack_mean_class_accuracies: tuple[float, ...] = ()
    """Mean of the superclasses' validation accuracies, of every head; empty in files of older
    versions."""
    auxiliary_loss: float = 0.0
    """Mean over training clips of the recognizer's auxiliary loss, with its weight."""
    waited_s: float = field(default=0.0, compare=False)
    """Time of the training in which the process had no clips; 0 in files of older versions."""

    @property
    def accuracy(self) -> float:
        """Validation accuracy in the original classes."""
        return self.stack_accuracies[-1]

    def measure(self, objective: Objective) -> float:
        """Return the objective's value on the validation clips; NaN if an older version did not store it."""
        if objective == "accuracy":
            return self.accuracy
        return self.stack_mean_class_accuracies[-1] if self.stack_mean_class_accuracies else math.nan

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EpochMetrics:
        """Build from a row of a file, in which tuples are lists."""
        lists = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
        return cls(**{**row, **lists})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a network on one part of the data, with probabilities averaged over frame sets."""

    loss: float
    """Weighted loss of the averaged probabilities."""
    stack_accuracies: tuple[float, ...]
    confusion_KK: npt.NDArray[np.int64]
    """Clips by true class (rows) and predicted class (columns), of the last head."""
    stack_top5_accuracies: tuple[float, ...] = ()
    """Share of clips whose superclass is among the five most probable, of every head."""
    stack_mean_class_accuracies: tuple[float, ...] = ()
    """Mean of the superclasses' accuracies, of every head."""
    pathway_accuracies: Mapping[str, float] = field(default_factory=dict)
    """Share of clips that the class head of each pathway classifies correctly alone, by its name; empty if
    the network has one pathway, or if they were not evaluated."""

    @property
    def accuracy(self) -> float:
        """Share of clips that are classified correctly."""
        return self.stack_accuracies[-1]

    @property
    def num_clips(self) -> int:
        """Number of evaluated clips."""
        return int(self.confusion_KK.sum())


@dataclass(frozen=True, slots=True)
class Predictions:
    """Per-clip class probabilities of one network, or of a late fusion."""

    clip_ids: tuple[str, ...]
    labels_N: npt.NDArray[np.int64]
    probabilities_NK: npt.NDArray[np.float32]
    """Probabilities of the original classes, averaged over frame sets."""
    superclasses: tuple[npt.NDArray[np.float32], ...] = ()
    """Probabilities of the superclasses of each head before the last, front to back: [N, S]. Empty for an
    average of networks, whose superclasses may differ."""
    superclass_labels: tuple[npt.NDArray[np.int64], ...] = ()
    """Each clip's own superclass of each of these heads: [N]; empty if they are not known."""
    pathways: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    """Probabilities of the original classes that each pathway gives alone, by its name: [N, K]; empty if the
    network has one pathway, and for an average of networks."""

    @property
    def pathway_accuracies(self) -> dict[str, float]:
        """Share of clips that each pathway classifies correctly alone, by its name."""
        right = {name: own_NK.argmax(axis=1) == self.labels_N for name, own_NK in self.pathways.items()}
        return {name: float(right_N.mean()) for name, right_N in right.items()}

    @property
    def levels(self) -> tuple[Predictions, ...]:
        """Predictions of the superclasses of each head before the last; none if the true ones are unknown."""
        if not self.superclass_labels:
            return ()
        return tuple(
            Predictions(self.clip_ids, own_N, head_NS)
            for own_N, head_NS in zip(self.superclass_labels, self.superclasses, strict=True)
        )

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """True for clips whose most probable class is their own: [N]."""
        right: npt.NDArray[np.bool_] = self.probabilities_NK.argmax(axis=1) == self.labels_N
        return right

    @property
    def accuracy(self) -> float:
        """Share of clips that are classified correctly."""
        return float(self.is_right.mean())

    @property
    def top5_accuracy(self) -> float:
        """Share of clips whose class is among the five most probable."""
        own_N1 = np.take_along_axis(self.probabilities_NK, self.labels_N[:, None], axis=1)
        classes_K = np.arange(self.probabilities_NK.shape[1])
        ahead_NK = ~(self.probabilities_NK <= own_N1)
        ahead_NK |= (self.probabilities_NK == own_N1) & (classes_K < self.labels_N[:, None])
        return float((ahead_NK.sum(axis=1) < NUM_TOP).mean())

    @property
    def class_sizes(self) -> npt.NDArray[np.int64]:
        """Number of clips of every class: [K]."""
        return self._count(self.labels_N)

    @property
    def class_accuracies(self) -> npt.NDArray[np.float64]:
        """Accuracy of every class: [K]; NaN for a class without clips."""
        with np.errstate(invalid="ignore"):
            return self._count(self.labels_N[self.is_right]) / self.class_sizes

    @property
    def mean_class_accuracy(self) -> float:
        """Mean accuracy over the classes that have clips."""
        return float(np.nanmean(self.class_accuracies))

    def of(self, clip_ids: Sequence[str]) -> Predictions:
        """Return the predictions of some of the clips, in the order of ``clip_ids``.

        Raises:
            KeyError: if a clip is missing.
        """
        rows = {clip_id: row for row, clip_id in enumerate(self.clip_ids)}
        chosen = [rows[clip_id] for clip_id in clip_ids]
        return Predictions(
            tuple(clip_ids),
            self.labels_N[chosen],
            self.probabilities_NK[chosen],
            tuple(head_NS[chosen] for head_NS in self.superclasses),
            tuple(own_N[chosen] for own_N in self.superclass_labels),
            {name: own_NK[chosen] for name, own_NK in self.pathways.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Return the predictions of all parts' clips, which are different ones, in the same superclasses."""
        heads = zip(*(part.superclasses for part in parts), strict=True)
        own = zip(*(part.superclass_labels for part in parts), strict=True)
        return cls(
            clip_ids=tuple(clip_id for part in parts for clip_id in part.clip_ids),
            labels_N=np.concatenate([part.labels_N for part in parts]),
            probabilities_NK=np.concatenate([part.probabilities_NK for part in parts]),
            superclasses=tuple(map(np.concatenate, heads)),
            superclass_labels=tuple(map(np.concatenate, own)),
            pathways={
                name: np.concatenate([part.pathways[name] for part in parts]) for name in parts[0].pathways
            },
        )

    def _count(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(labels, minlength=self.probabilities_NK.shape[1])


def mean_class_accuracy(confusion_KK: npt.NDArray[np.int64]) -> float:
    """Return the mean accuracy over the classes that have clips; rows of the matrix are true classes."""
    sizes_K = confusion_KK.sum(axis=1)
    seen_K = sizes_K > 0
    return float((confusion_KK.diagonal()[seen_K] / sizes_K[seen_K]).mean())
