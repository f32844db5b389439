"""How a running trial tells the outside what happens in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics


class Reporter(Protocol):
    """Called by a trial, in order, in the trial's own process.

    For every stage: ``stage_waits`` once for everybody whom it waits for, ``stage_started`` once,
    ``epoch_finished`` for each of its epochs from 0 on, ``stage_finished`` once. A stage found in the store
    is reported in the same way with its recorded epochs, so that curves and schedulers see no difference. A
    stage that runs out of memory may begin anew: ``stage_started`` comes again, and its epochs from 0 on
    replace those that were told. A reporter may raise to end the trial; finished stages stay in the store.
    """

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """Another trial, called ``holder``, computes the stage; it is waited for."""

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """A stage begins to train, or was found."""

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """An epoch and its validation are done; reused where it was found, in a finished stage or not."""

    def stage_finished(self, result: StageResult) -> None:
        """A stage is in the store."""


class Reporters:
    """Tells every one of several reporters, in order; none of them where there are none."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters: Sequence[Reporter] = reporters

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.stage_waits(kind, pass_index, holder)

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.stage_started(kind, pass_index, reused=reused)

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.epoch_finished(kind, pass_index, metrics, reused=reused)

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.stage_finished(result)


class RefitReporter:
    """Tells another reporter of stages that train on validation clips too; their accuracies there are NaN."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        self._reporter.stage_waits(kind, pass_index, holder)

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""
        self._reporter.stage_started(kind, pass_index, reused=reused)

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        unmeasured = _unmeasured(metrics.stack_accuracies)
        told = replace(metrics, stack_accuracies=unmeasured, validation_loss=math.nan)
        self._reporter.epoch_finished(kind, pass_index, told, reused=reused)

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        unmeasured = _unmeasured(result.stack_accuracies)
        self._reporter.stage_finished(replace(result, stack_accuracies=unmeasured))


def _unmeasured(accuracies: Sequence[float]) -> tuple[float, ...]:
    return (math.nan,) * len(accuracies)
