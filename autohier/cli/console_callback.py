"""Console output of the commands that compute in their own process."""

from __future__ import annotations

import math

from rich.console import Console

from autohier.config.fusion import Member
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import EpochMetrics
from autohier.fusion.members import MemberOpener, open_member
from autohier.machine import usable_cores


def member_opener(console: Console, device: str, threads: int | None) -> MemberOpener:
    """Return a function that opens finished trials and prints their progress.

    Args:
        console: where epochs and stages are printed.
        device: device that computes.
        threads: number of CPU threads; None uses all that this process may use.
    """

    def opener(member: Member) -> TrialSetup:
        return open_member(
            member,
            callback=ConsoleCallback(console, member.config),
            device=device,
            num_threads=threads or usable_cores(),
        )

    return opener


class ConsoleCallback(TrialCallback):
    """Trial callback that prints a line per epoch and per stage, with the fold of a cross-validation.

    Args:
        console: where the lines are printed.
        config: config of the trial; its validation is not ``auto``.
    """

    def __init__(self, console: Console, config: TrialConfig) -> None:
        self._console = console
        self._config = config
        self._stage_reused = False
        self._num_reused = 0
        """Reused epochs of the present fold."""

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._console.print(f"{kind.label(pass_index)}: waiting for {holder}")

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See `TrialCallback`."""
        self._stage_reused = reused

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        num_epochs = kind.epochs(self._config)
        # A refit has no folds. The epochs of all folds are numbered in one row.
        has_folds = self._config.protocol.validation == "folds" and not math.isnan(metrics.accuracy)
        fold, epoch = divmod(metrics.epoch, num_epochs) if has_folds else (0, metrics.epoch)
        label = f"{kind.label(pass_index)} of fold {fold + 1}" if has_folds else kind.label(pass_index)
        self._num_reused = reused * (1 if epoch == 0 else self._num_reused + 1)
        if has_folds and not self._stage_reused and self._num_reused == num_epochs:
            self._console.print(f"{label}: reused from the stage store")
        if not reused:
            self._console.print(
                f"{label}, epoch {epoch + 1}: "
                f"training loss {metrics.loss:.3f}, {_accuracy_text(metrics.accuracy)}, "
                f"{metrics.num_clips / metrics.seconds:.0f} clips/s"
            )

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        origin = "reused from the stage store" if result.reused else f"trained in {result.seconds:.0f} s"
        self._console.print(f"{result.label}: {_accuracy_text(result.accuracy)}, {origin}")


def _accuracy_text(accuracy: float) -> str:
    # A refit trains on the validation clips too, which leaves none to measure an accuracy on.
    return "on all training clips" if math.isnan(accuracy) else f"validation accuracy {accuracy:.2%}"
