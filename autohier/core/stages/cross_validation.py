"""Cross-validation: a stage is trained on every fold of the training clips and reported as a single stage.

Each fold is a clean trial that holds out other subjects (or setups). The stage store caches the stages of a
fold like the stages of any other trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

import numpy as np

from autohier.core.pruning.cost import Cost
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.digest import digest


@dataclass(frozen=True, slots=True)
class FoldedResult(StageResult):
    """Result of a stage over all folds.

    Accuracies are means over the folds, the confusion matrix counts every training clip once, and the epochs
    of the folds follow one another.
    """

    folds: tuple[StageResult, ...] = ()

    @classmethod
    def of(cls, folds: Sequence[StageResult]) -> FoldedResult:
        """Combine the results of one stage on all folds.

        Parameters and multiply-adds are the largest of any fold: global pruning may remove filters of
        different layers in each fold, at different costs.
        """
        first = folds[0]
        return cls(
            kind=first.kind,
            key=digest([fold.key for fold in folds]),
            parent_key=None if first.parent_key is None else digest([fold.parent_key for fold in folds]),
            parent_keys=tuple(map(digest, zip(*(fold.parent_keys for fold in folds), strict=True))),
            pass_index=first.pass_index,
            hierarchy=first.hierarchy,
            heads=first.heads,
            epochs=tuple(
                metrics
                for index, fold in enumerate(folds)
                for metrics in _numbered(fold.epochs, index * len(fold.epochs))
            ),
            stack_accuracies=_means([fold.stack_accuracies for fold in folds]),
            stack_top5_accuracies=_means([fold.stack_top5_accuracies for fold in folds]),
            stack_mean_class_accuracies=_means([fold.stack_mean_class_accuracies for fold in folds]),
            pathway_accuracies={
                name: float(np.mean([fold.pathway_accuracies[name] for fold in folds]))
                for name in first.pathway_accuracies
                if all(name in fold.pathway_accuracies for fold in folds)
            },
            confusion_KK=np.sum([fold.confusion_KK for fold in folds], axis=0),
            cost=Cost(
                max(fold.cost.parameters for fold in folds), max(fold.cost.multiply_adds for fold in folds)
            ),
            seconds=sum(fold.seconds for fold in folds),
            reused=all(fold.reused for fold in folds),
            num_restored=sum(fold.epochs_reused for fold in folds),
            folds=tuple(folds),
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rate at the start of every epoch: the median over the folds, the lower one of two."""
        return tuple(median_low(rates) for rates in zip(*(fold.rates for fold in self.folds), strict=True))

    def fold(self, index: int) -> StageResult:
        """Return the result of one fold."""
        return self.folds[index]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the stage store, one for each fold."""
        return tuple(fold.key for fold in self.folds)

    @property
    def seconds_reused(self) -> float:
        """Training time of the reused epochs of all folds."""
        return sum(fold.seconds_reused for fold in self.folds)


class FoldCallback(TrialCallback):
    """Reports the folds of one stage to another callback as a single stage.

    The caller must invoke ``on_stage_end`` of the other callback when all folds are finished.

    Args:
        callback: receives one stage and the epochs of all folds, numbered from 0 over all folds.
    """

    def __init__(self, callback: TrialCallback) -> None:
        self._callback = callback
        self._finished: list[tuple[EpochMetrics, bool]] = []
        """Epochs of finished folds; True if an epoch was reused."""
        self._epochs: list[tuple[EpochMetrics, bool]] = []
        self._reported_reused: bool | None = None

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._callback.on_stage_wait(kind, pass_index, holder)

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """Report the stage again if a fold restarts, or is trained after reused folds."""
        if self._reported_reused is not None and not self._epochs and reused >= self._reported_reused:
            return
        self._reported_reused = reused and not self._finished
        self._callback.on_stage_start(kind, pass_index, reused=self._reported_reused)
        self._epochs = []
        for metrics, epoch_reused in self._finished:
            self._callback.on_epoch_end(kind, pass_index, metrics, reused=epoch_reused)

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        (numbered,) = _numbered([metrics], len(self._finished))
        self._epochs.append((numbered, reused))
        self._callback.on_epoch_end(kind, pass_index, numbered, reused=reused)

    def on_stage_end(self, result: StageResult) -> None:  # noqa: ARG002
        """Keep the epochs of a finished fold; the caller reports the end of the stage."""
        self._finished += self._epochs
        self._epochs = []


def _means(accuracies: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the mean over the folds at every stack; empty if a fold has none."""
    if not all(accuracies):
        return ()
    means: list[float] = np.mean(accuracies, axis=0).tolist()
    return tuple(means)


def _numbered(epochs: Sequence[EpochMetrics], first: int) -> list[EpochMetrics]:
    return [replace(metrics, epoch=first + metrics.epoch) for metrics in epochs]
