"""The live display: a table on a terminal, one line per event elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console
from rich.live import Live
from rich.table import Table

from autohier.errors import FailureClass
from autohier.settings.choice import Choice


@dataclass(frozen=True, slots=True)
class TrialView:
    """What the display knows of a running trial."""

    choice: Choice | None
    started: float
    stage: str = "starting"
    epoch: int = 0
    accuracy: float = math.nan
    reused: bool = False


class Display:
    """Shows a sweep. Called by the driver alone; an event costs well under a millisecond.

    Args:
        console: where to draw.
        target: settings the sweep runs in all.
    """

    def __init__(self, console: Console, *, target: int) -> None:
        self._console = console
        self._target = target
        self._running: dict[str, TrialView] = {}
        self._live: Live | None = None
        self._finished = self._finished_before = 0
        self._best: tuple[str, float] | None = None
        self._spared = self._computed = 0
        self._begun = time.monotonic()

    @contextmanager
    def running(self, finished: int) -> Iterator[None]:
        """Draw while the block runs; ``finished`` settings were tried before it."""
        self._finished = self._finished_before = finished
        self._begun = time.monotonic()
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

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, highlight=False)

    def trial_started(self, name: str, choice: Choice | None) -> None:
        """A trial got its share of a machine."""
        self._running[name] = TrialView(choice, time.monotonic())
        if self._live is None:
            self.say(f"{name} started: {_choice_text(choice)}")

    def epoch_finished(self, name: str, stage: str, epoch: int, accuracy: float, *, reused: bool) -> None:
        """A trial trained or replayed an epoch."""
        self._spared += reused
        self._computed += not reused
        if self._live is None and not reused:
            self.say(f"{name} {stage}, epoch {epoch}{_measured(accuracy)}")
        if name in self._running:
            self._running[name] = replace(
                self._running[name], stage=stage, epoch=epoch, accuracy=accuracy, reused=reused
            )

    def stage_waits(self, name: str, stage: str, holder: str) -> None:
        """A trial waits for another one that computes the same stage."""
        if self._live is None:
            self.say(f"{name} {stage}: waits for {holder}")
        if name in self._running:
            view = self._running[name]
            self._running[name] = TrialView(view.choice, view.started, f"{stage}, waits for {holder}")

    def stage_found(self, name: str, stage: str, epochs: int, accuracy: float) -> None:
        """A stage of a trial, with all its epochs, was in the store."""
        self._spared += epochs
        if self._live is None:
            self.say(f"{name} {stage} (found): {accuracy:.2%}")
        if name in self._running:
            self._running[name] = replace(
                self._running[name], stage=stage, epoch=epochs, accuracy=accuracy, reused=True
            )

    def stage_finished(self, name: str, stage: str, accuracy: float) -> None:
        """A stage that a trial has trained is in the store."""
        if self._live is None:
            self.say(f"{name} {stage}: {accuracy:.2%}")

    def shared_finished(self, name: str, accuracy: float, *, reused: bool) -> None:
        """A stage that all trials share is in the store."""
        self._running.pop(name, None)
        self.say(f"{name} (shared by all trials){', found' if reused else ''}: {accuracy:.2%}")

    def trial_finished(self, name: str, accuracy: float) -> None:
        """A trial went all its way."""
        self._running.pop(name, None)
        self._finished += 1
        if self._best is None or accuracy > self._best[1]:
            self._best = (name, accuracy)
        if self._live is None:
            self.say(f"{name} finished: {accuracy:.2%} ({self._headline()})")

    def trial_stopped(self, name: str, reason: str) -> None:
        """A trial was too weak to go on."""
        self._running.pop(name, None)
        self._finished += 1
        if self._live is None:
            self.say(f"{name} stopped: {reason} ({self._headline()})")

    def trial_failed(self, name: str, reason: str, failure: FailureClass) -> None:
        """A trial failed by its own fault."""
        self._running.pop(name, None)
        self._finished += 1
        self.say(f"{name} failed ({failure}): {reason}")

    def _headline(self) -> str:
        best = f", best {self._best[1]:.2%} in {self._best[0]}" if self._best else ""
        return f"{self._finished} of {self._target} settings{best}{self._time_left()}"

    def _time_left(self) -> str:
        done = self._finished - self._finished_before
        if not done:
            return ""
        left_s = (time.monotonic() - self._begun) / done * (self._target - self._finished)
        return f", about {left_s / 60:.0f} min left" if left_s >= 60 else f", about {left_s:.0f} s left"

    def _table(self) -> Table:
        table = Table(title=self._headline(), caption=self._caption(), title_justify="left")
        for column in ("trial", "setting", "stage", "epoch", "validation", "running"):
            table.add_column(column, justify="left" if column in ("trial", "setting", "stage") else "right")
        for name, view in sorted(self._running.items()):
            table.add_row(
                name,
                _choice_text(view.choice),
                f"{view.stage}{' (found)' if view.reused else ''}",
                str(view.epoch or ""),
                _measured(view.accuracy).removeprefix(": "),
                f"{time.monotonic() - view.started:.0f} s",
            )
        return table

    def _caption(self) -> str:
        return f"epochs trained {self._computed}, found trained {self._spared}"


def _measured(accuracy: float) -> str:
    """NaN before the first epoch, and where a stage trains on its validation clips."""
    return "" if math.isnan(accuracy) else f": {accuracy:.2%}"


def _choice_text(choice: Choice | None) -> str:
    if choice is None:
        return "pass 1, shared by all trials"
    recipe = f"{choice.recipe_text}  " if choice.recipe_text else ""
    pruning = f"{choice.scope} {choice.ratio:.0%} x {choice.passes}"
    return f"{recipe}{choice.counts_text or 'flat'}  rho {choice.weight_ratio:.3g}  {pruning}"
