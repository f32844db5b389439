"""A reporter that remembers, so that a trial which is stopped or fails still leaves its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics


@dataclass(frozen=True, slots=True)
class UnfinishedStage:
    """A stage that was cut short."""

    kind: StageKind
    pass_index: int
    reused: bool
    """True where it was being replayed from the stage store."""
    epochs: tuple[EpochMetrics, ...] = ()


class Progress:
    """What a trial has reported so far. Implements core.stages.reporter.Reporter."""

    def __init__(self) -> None:
        self.stages: tuple[StageResult, ...] = ()
        self.unfinished: UnfinishedStage | None = None

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""
        self.unfinished = UnfinishedStage(kind, pass_index, reused)

    def epoch_finished(self, kind: StageKind, pass_index: int, metrics: EpochMetrics) -> None:  # noqa: ARG002
        """See Reporter."""
        if self.unfinished is not None:
            self.unfinished = replace(self.unfinished, epochs=(*self.unfinished.epochs, metrics))

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        self.stages = (*self.stages, result)
        self.unfinished = None
