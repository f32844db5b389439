"""Callbacks: base class and combinations of the listeners of a running trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics


class TrialCallback:
    """Base class of callbacks; override the methods that you need, the others do nothing.

    A trial calls them in its own process and thread, in this order for every stage: ``on_stage_wait`` once
    for each process that it waits for, ``on_stage_start`` once, ``on_epoch_end`` for each epoch from 0,
    ``on_stage_end`` once. A stage that is reused from the store is reported in the same way with its recorded
    epochs. If a stage runs out of memory and restarts, ``on_stage_start`` is called again, and its epochs
    replace the epochs reported before.

    Any exception that a method raises ends the trial. Stages that are finished stay in the store. Arguments
    are frozen and may be kept.

    Example:
        Print the accuracy of every stage::

            class PrintAccuracy(TrialCallback):
                def on_stage_end(self, result: StageResult) -> None:
                    print(result.label, result.accuracy)
    """

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """Called before the trial waits for another process, ``holder``, to train the stage."""

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """Called when a stage starts training, or is reused from the store."""

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """Called after each validated epoch; `reused` is True if it came from the store or a checkpoint."""

    def on_stage_end(self, result: StageResult) -> None:
        """Called when the stage is in the store."""


class CallbackList(TrialCallback):
    """Calls several callbacks in order."""

    def __init__(self, *callbacks: TrialCallback) -> None:
        self._callbacks: Sequence[TrialCallback] = callbacks

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        for callback in self._callbacks:
            callback.on_stage_wait(kind, pass_index, holder)

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See `TrialCallback`."""
        for callback in self._callbacks:
            callback.on_stage_start(kind, pass_index, reused=reused)

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        for callback in self._callbacks:
            callback.on_epoch_end(kind, pass_index, metrics, reused=reused)

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        for callback in self._callbacks:
            callback.on_stage_end(result)


class RefitCallback(TrialCallback):
    """Reports stages of a refit to another callback, with NaN for validation accuracies and losses.

    A refit trains on the validation clips too, so that its measurements there mean nothing.
    """

    def __init__(self, callback: TrialCallback) -> None:
        self._callback = callback

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._callback.on_stage_wait(kind, pass_index, holder)

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See `TrialCallback`."""
        self._callback.on_stage_start(kind, pass_index, reused=reused)

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        masked = replace(metrics, validation_loss=math.nan, **_unknown(metrics.stack_accuracies))
        self._callback.on_epoch_end(kind, pass_index, masked, reused=reused)

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        of_pathways = dict.fromkeys(result.pathway_accuracies, math.nan)
        unknown = replace(result, **_unknown(result.stack_accuracies), pathway_accuracies=of_pathways)
        self._callback.on_stage_end(unknown)


class _Accuracies(TypedDict):
    stack_accuracies: tuple[float, ...]
    stack_top5_accuracies: tuple[float, ...]
    stack_mean_class_accuracies: tuple[float, ...]


def _unknown(accuracies: Sequence[float]) -> _Accuracies:
    nan = (math.nan,) * len(accuracies)
    return {
        "stack_accuracies": nan,
        "stack_top5_accuracies": nan,
        "stack_mean_class_accuracies": nan,
    }
