"""The live display of a sweep: a table on a terminal, one line per event elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console
from rich.live import Live
from rich.table import Table

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.execution.earlier_trials import EarlierTrials
from autohier.sweep.execution.messages import (
    EpochEnd,
    Message,
    StageEnd,
    StageReused,
    StageWait,
    TrialComplete,
    TrialFailed,
    TrialStopped,
)
from autohier.text import duration_text, plural

_SHARED = "shared by all trials"
_FEW_TRIALS = 3
"""The mean time of fewer trials says little about the others."""
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class TrialView:
    """Row of a running trial in the table."""

    params: Hyperparameters | None
    started: float
    stage: str = "starting"
    epoch: int = 0
    accuracy: float = math.nan
    reused: bool = False


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The complete trial with the best value so far."""

    name: str
    value: float
    """Value of the objective on the validation clips."""
    num_epochs: int
    """Number of epochs of its chain, over all folds."""


class Display:
    """Shows a sweep. Only the driver calls it; an event costs well under a millisecond.

    Args:
        console: console to draw on.
        target: number of trials in the sweep.
        num_folds: number of networks that each stage trains; a refit trains one.
        refits: the best trial is trained again on all training clips.
        confirms: the trials are those of a confirmation, of which none is called the best.
        has_budget: a budget ends the search, so that its number of trials is not known before.
    """

    def __init__(
        self,
        console: Console,
        *,
        target: int,
        num_folds: int = 1,
        refits: bool = True,
        confirms: bool = False,
        has_budget: bool = False,
    ) -> None:
        self._console = console
        self._target = target
        self._num_folds, self._refits, self._confirms = num_folds, refits, confirms
        self._has_budget = has_budget
        self._running: dict[str, TrialView] = {}
        self._live: Live | None = None
        self._finished = self._finished_before = 0
        self._best: BestTrial | None = None
        self._earlier = EarlierTrials()
        self._reused = self._computed = 0
        self._computed_s = 0.0
        self._start_time = time.monotonic()

    def set_earlier(self, best: BestTrial | None, earlier: EarlierTrials) -> None:
        """Set the best trial of the sweep's earlier drivers, and the times of all."""
        self._best, self._earlier = best, earlier

    def confirming(self, target: int, earlier: EarlierTrials) -> Display:
        """Return a display of the sweep's confirmation, with this number of runs, also earlier ones."""
        shown = Display(
            self._console, target=target, num_folds=self._num_folds, refits=self._refits, confirms=True
        )
        shown.set_earlier(None, earlier)
        return shown

    @contextmanager
    def running(self, finished: int) -> Iterator[None]:
        """Draw while the block runs; ``finished`` trials ended before it."""
        self._finished = self._finished_before = finished
        self._start_time = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        with Live(
            get_renderable=self._table, console=self._console, refresh_per_second=2, transient=True
        ) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    @property
    def num_finished(self) -> int:
        """Number of trials that ended, complete, stopped or failed, as far as it was shown."""
        return self._finished

    def print_line(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, highlight=False)

    def show_start(self, name: str, params: Hyperparameters | None) -> None:
        """Show a trial, or a stage that all trials share (no params), that got its share of a machine."""
        self._running[name] = TrialView(params, time.monotonic())
        self._print_event(f"{name} started: {params.settings_text}" if params else f"{name}, {_SHARED}")

    def show_refit(self, name: str, params: Hyperparameters) -> None:
        """Show the refit of the best trial in the table."""
        self._running[name] = TrialView(params, time.monotonic())

    def show(self, name: str, message: Message) -> None:
        """Show a message of a trial or of a stage that all trials share."""
        match message:
            case EpochEnd():
                self._show_epoch(name, message)
            case StageWait(stage, waits_for):
                self._print_event(f"{_stage_text(name, stage)}: waits for {waits_for}")
                if name in self._running:
                    view = self._running[name]
                    self._running[name] = TrialView(
                        view.params, view.started, f"{stage}, waits for {waits_for}"
                    )
            case StageReused(stage, num_epochs, accuracy):
                self._reused += num_epochs
                self._print_event(f"{name} {stage} (reused): {accuracy:.2%}")
                self._update(name, stage=stage, epoch=num_epochs, accuracy=accuracy, reused=True)
            case StageEnd(stage, accuracy):
                self._print_event(f"{name} {stage}: {accuracy:.2%}")
            case _:
                self._show_end(name, message)

    def show_shared_stage(self, name: str, accuracy: float, *, reused: bool) -> None:
        """Show that a stage that all trials share is finished."""
        self._running.pop(name, None)
        self.print_line(f"{name}, {_SHARED}{' (reused)' if reused else ''}: {accuracy:.2%}")
        self._start_time = time.monotonic()  # the remaining time follows from the trials alone

    def _show_epoch(self, name: str, message: EpochEnd) -> None:
        self._reused += message.reused
        if not message.reused:
            self._computed += 1
            self._computed_s += message.seconds
            stage = _stage_text(name, message.stage)
            self._print_event(f"{stage}, epoch {message.epoch}{_accuracy_text(message.accuracy)}")
        self._update(
            name,
            stage=message.stage,
            epoch=message.epoch,
            accuracy=message.accuracy,
            reused=message.reused,
        )

    def _show_end(self, name: str, end: TrialComplete | TrialStopped | TrialFailed) -> None:
        self._running.pop(name, None)
        self._finished += 1
        match end:
            case TrialComplete(chain, facts=facts):
                value = chain[-1] if self._confirms else max(chain)
                is_best = self._best is None or value > self._best.value
                if is_best and not self._confirms:
                    self._best = BestTrial(name, value, facts.epochs_reused + facts.epochs_computed)
                self._print_end(f"{name} finished: {value:.2%}")
            case TrialStopped(reason=reason):
                self._print_end(f"{name} stopped: {reason}")
            case TrialFailed(reason, failure):
                self.print_line(f"{name} failed ({failure}): {reason}")

    def _print_end(self, text: str) -> None:
        """Print the end of a trial; a table holds only running trials, and the headline already."""
        self.print_line(text if self._live else f"{text} ({self._headline()})")

    def _print_event(self, text: str) -> None:
        """Print an event that the table would show."""
        if self._live is None:
            self.print_line(text)

    def _update(self, name: str, *, stage: str, epoch: int, accuracy: float, reused: bool) -> None:
        if name in self._running:
            self._running[name] = replace(
                self._running[name], stage=stage, epoch=epoch, accuracy=accuracy, reused=reused
            )

    def _headline(self) -> str:
        best = f", best {self._best.value:.2%} in {self._best.name}" if self._best else ""
        noun = "confirmation runs" if self._confirms else "trials"
        if self._has_budget:
            return f"{plural(self._finished, 'trial')}{best}"
        return f"{self._finished} of {self._target} {noun}{best}{self._time_left()}"

    def _time_left(self) -> str:
        if self._finished >= self._target:
            return ", then the refit and the test" if self._refits else ", then the test"
        trial_s = self._trial_s()
        if trial_s is None:
            return ""
        left_s = trial_s * (self._target - self._finished)
        refit_s = self._refit_s()
        left_s += refit_s or 0.0
        about = f"about {duration_text(left_s)}" if left_s >= _MINUTE_S else "less than a minute"
        return f", {about}{' of trials' if refit_s is None else ''} left"

    def _trial_s(self) -> float | None:
        """Return the mean time between the ends of trials, while they are few also of earlier drivers."""
        done = self._finished - self._finished_before
        seconds = time.monotonic() - self._start_time if done else 0.0
        if done < _FEW_TRIALS:
            done, seconds = done + self._earlier.num_trials, seconds + self._earlier.seconds
        return seconds / done if done >= _FEW_TRIALS else None

    def _refit_s(self) -> float | None:
        """Return an estimate for the refit of the best trial; None if no epoch was measured."""
        if not self._refits:
            return 0.0
        epoch_s = self._computed_s / self._computed if self._computed else self._earlier.epoch_seconds
        if epoch_s is None or self._best is None:
            return None
        return self._best.num_epochs / self._num_folds * epoch_s

    def _table(self) -> Table:
        table = Table(title=self._headline(), caption=self._caption(), title_justify="left")
        for column in ("trial", "config", "stage", "epoch", "validation", "running"):
            table.add_column(column, justify="left" if column in ("trial", "config", "stage") else "right")
        for name, view in sorted(self._running.items()):
            table.add_row(
                name,
                _params_text(view.params),
                f"{view.stage}{' (reused)' if view.reused else ''}",
                str(view.epoch or ""),
                _accuracy_text(view.accuracy).removeprefix(": "),
                f"{time.monotonic() - view.started:.0f} s",
            )
        return table

    def _caption(self) -> str:
        return f"epochs trained {self._computed}, reused {self._reused}"


def _accuracy_text(accuracy: float) -> str:
    """Return the accuracy after a colon; nothing for NaN, before the first epoch and in a refit."""
    return "" if math.isnan(accuracy) else f": {accuracy:.2%}"


def _stage_text(name: str, stage: str) -> str:
    """Return who trains and what; the shared pass 1 is named after its stage."""
    return stage if stage.startswith(name) else f"{name} {stage}"


def _params_text(params: Hyperparameters | None) -> str:
    if params is None:
        return _SHARED
    recipe = f"{params.variant_text}  " if params.variant_text else ""
    pruning = f"{params.scope} {params.ratio:.4g} x {params.passes}"
    return f"{recipe}{params.counts_text or 'flat'}  weight ratio {params.weight_ratio:.4g}  {pruning}"
