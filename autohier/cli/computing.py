"""What commands that compute in their own process share: a line per epoch and stage, and opening trials."""

from __future__ import annotations

import math
import os
from functools import partial

from rich.console import Console

from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageKind, StageResult, stage_label
from autohier.core.training.metrics import EpochMetrics
from autohier.sweep.members import Opener, open_member


def member_opener(console: Console, device: str, threads: int | None) -> Opener:
    """What opens finished trials on a device, for as many threads or for all cores, and tells a console."""
    return partial(
        open_member,
        reporter=Reporters(ConsoleReporter(console)),
        device=device,
        num_threads=threads or os.cpu_count() or 1,
    )


class ConsoleReporter:
    """Prints a line per epoch and per stage. Implements core.stages.reporter.Reporter."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        self._console.print(f"{stage_label(kind, pass_index)}: waits for {holder}")

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        if not reused:
            self._console.print(
                f"{stage_label(kind, pass_index)}, epoch {metrics.epoch + 1}: loss {metrics.loss:.3f}, "
                f"{_measured(metrics.accuracy)}, {metrics.num_clips / metrics.seconds:.0f} clips/s"
            )

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        found = ", found in the stage store" if result.reused else f", {result.seconds:.0f} s"
        self._console.print(f"{result.label}: {_measured(result.accuracy)}{found}")


def _measured(accuracy: float) -> str:
    return "on all training clips" if math.isnan(accuracy) else f"validation {accuracy:.2%}"
