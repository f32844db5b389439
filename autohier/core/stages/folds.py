"""Folds: one step of a trial, run on every fold of the training clips and told as a single stage.

Each fold is a clean trial that holds out other subjects (or setups), so that its stages are found in, and
kept in, the stage store like those of any other trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

import numpy as np

from autohier.core.pruning.cost import Cost
from autohier.core.stages.reporter import Reporter
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.digest import digest


@dataclass(frozen=True, slots=True)
class FoldedResult(StageResult):
    """A stage of all folds: accuracies are means over them, and every training clip is in the confusion once.

    Epochs are those of the folds, one fold after the other.
    """

    folds: tuple[StageResult, ...] = ()

    @classmethod
    def of(cls, folds: Sequence[StageResult]) -> FoldedResult:
        """Bring together what the folds of one step have measured.

        Parameters and multiply-adds are the largest of any fold: filters that are pruned altogether may lie
        in other layers.
        """
        first = folds[0]
        accuracies = np.mean([fold.stack_accuracies for fold in folds], axis=0)
        return cls(
            kind=first.kind,
            key=digest([fold.key for fold in folds]),
            parent_key=None if first.parent_key is None else digest([fold.parent_key for fold in folds]),
            pass_index=first.pass_index,
            hierarchy=first.hierarchy,
            epochs=tuple(
                metrics
                for index, fold in enumerate(folds)
                for metrics in _numbered(fold.epochs, index * len(fold.epochs))
            ),
            stack_accuracies=tuple(accuracies.tolist()),
            confusion_KK=np.sum([fold.confusion_KK for fold in folds], axis=0),
            cost=Cost(
                max(fold.cost.parameters for fold in folds), max(fold.cost.multiply_adds for fold in folds)
            ),
            seconds=sum(fold.seconds for fold in folds),
            reused=all(fold.reused for fold in folds),
            num_restored=sum(fold.epochs_spared for fold in folds),
            folds=tuple(folds),
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """See `StageResult.rates`; of a fold, the lower one of the two in the middle where folds differ."""
        return tuple(median_low(rates) for rates in zip(*(fold.rates for fold in self.folds), strict=True))

    def fold(self, index: int) -> StageResult:
        """See `StageResult.fold`."""
        return self.folds[index]

    @property
    def keys(self) -> tuple[str, ...]:
        """See `StageResult.keys`."""
        return tuple(fold.key for fold in self.folds)

    @property
    def seconds_spared(self) -> float:
        """See `StageResult.seconds_spared`."""
        return sum(fold.seconds_spared for fold in self.folds)


class FoldReporter:
    """Tells another reporter of a step's folds as of one stage. Implements core.stages.reporter.Reporter.

    Whoever runs the folds tells the other reporter when the stage is finished.

    Args:
        reporter: told of one stage and the epochs of all folds, numbered through.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._before: list[tuple[EpochMetrics, bool]] = []
        """Epochs of finished folds, and whether each was found."""
        self._epochs: list[tuple[EpochMetrics, bool]] = []
        self._told_reused: bool | None = None

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        self._reporter.stage_waits(kind, pass_index, holder)

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter; where a fold begins anew, or is computed after others were found, all begins anew."""
        if self._told_reused is not None and not self._epochs and reused >= self._told_reused:
            return
        self._told_reused = reused and not self._before
        self._reporter.stage_started(kind, pass_index, reused=self._told_reused)
        self._epochs = []
        for metrics, found in self._before:
            self._reporter.epoch_finished(kind, pass_index, metrics, reused=found)

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        (numbered,) = _numbered([metrics], len(self._before))
        self._epochs.append((numbered, reused))
        self._reporter.epoch_finished(kind, pass_index, numbered, reused=reused)

    def stage_finished(self, result: StageResult) -> None:  # noqa: ARG002
        """See Reporter; of a fold."""
        self._before += self._epochs
        self._epochs = []


def _numbered(epochs: Sequence[EpochMetrics], first: int) -> list[EpochMetrics]:
    return [replace(metrics, epoch=first + metrics.epoch) for metrics in epochs]
