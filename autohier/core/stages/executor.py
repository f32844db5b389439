"""Executors: where the stages of a trial are computed, if not in the trial's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from autohier.core.stages.result import StageResult
    from autohier.core.stages.setup.trial_setup import TrialSetup
    from autohier.core.stages.training import StageRun
    from autohier.core.training.devices import Device

R = TypeVar("R")


class Executor(Protocol):
    """Computes for one trial in other processes, which share the trial's stage store and clips.

    Errors of the computation rise in the trial as if it computed itself.
    """

    def open_device(self) -> Device:
        """Return the device that stages are computed on; its numerics are part of their keys."""

    def train(self, run: StageRun) -> StageResult:
        """Train a stage, publish it, and call the callbacks of the run's context for it."""

    def call(self, function: Callable[..., R], trial: TrialSetup, *arguments: object) -> R:
        """Return what a function of a trial and further arguments computes on the device.

        Args:
            function: importable by its name; takes the trial with a context that computes there.
            trial: the trial.
            arguments: further arguments, which are pickled, as is the return value.
        """


def on_device(function: Callable[..., R], trial: TrialSetup, *arguments: object) -> R:
    """Call a function where the stages of a trial are computed."""
    executor = trial.context.executor
    return function(trial, *arguments) if executor is None else executor.call(function, trial, *arguments)
