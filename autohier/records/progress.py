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
    epochs: tuple[EpochMetrics, ...] = ()
    found: tuple[EpochMetrics, ...] = ()
    """Those of them that were in the stage store or in a checkpoint."""


class Progress:
    """What a trial has reported so far. Implements core.stages.reporter.Reporter."""

    def __init__(self) -> None:
        self.stages: tuple[StageResult, ...] = ()
        self.unfinished: UnfinishedStage | None = None

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See Reporter."""
        self.unfinished = UnfinishedStage(kind, pass_index)

    def epoch_finished(
        self,
        kind: StageKind,  # noqa: ARG002
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,
    ) -> None:
        """See Reporter."""
        if self.unfinished is not None:
            self.unfinished = replace(
                self.unfinished,
                epochs=(*self.unfinished.epochs, metrics),
                found=(*self.unfinished.found, *([metrics] if reused else [])),
            )

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        self.stages = (*self.stages, result)
        self.unfinished = None
