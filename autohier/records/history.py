"""History of a running trial, from which a stopped or failed trial still gets its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.records.own_epochs import OwnEpochs


@dataclass(frozen=True, slots=True)
class UnfinishedStage:
    """A stage that is running, or that ended early."""

    kind: StageKind
    pass_index: int
    epochs: tuple[EpochMetrics, ...] = ()
    reused_epochs: tuple[EpochMetrics, ...] = ()
    """Those of ``epochs`` that came from the stage store or from a checkpoint, and that others trained."""


class TrialHistory(TrialCallback):
    """Trial callback that keeps the trial's stages and epochs.

    Args:
        own_epochs: notes of the trial, by which its own epochs count as trained although they are reused.
    """

    def __init__(self, own_epochs: OwnEpochs | None = None) -> None:
        self._own = own_epochs or OwnEpochs()
        self._trains = False
        self.stages: tuple[StageResult, ...] = ()
        self.unfinished: UnfinishedStage | None = None

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See `TrialCallback`."""
        self.unfinished = UnfinishedStage(kind, pass_index)
        self._trains = not reused
        if self._trains:
            self._own.note_start(kind, pass_index)

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        reused = reused and not self._own.has(kind, pass_index, metrics.epoch)
        if self._trains:
            self._own.note_epoch(kind, pass_index, metrics.epoch, own=not reused)
        if self.unfinished is not None:
            self.unfinished = replace(
                self.unfinished,
                epochs=(*self.unfinished.epochs, metrics),
                reused_epochs=(*self.unfinished.reused_epochs, *([metrics] if reused else [])),
            )

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        self.stages = (*self.stages, self._own.credit(result))
        if self._trains:
            self._own.note_end(result.kind, result.pass_index)
        self.unfinished = None
