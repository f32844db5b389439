"""A trial on the rungs of its sweep: measures what it reaches, and ends where it is judged too weak."""

from __future__ import annotations

from collections.abc import Callable

from autohier.core.pruning.stop_rule import StopRule
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.settings.choice import Choice
from autohier.sweep.halving import Ladder

Judge = Callable[[Choice, int, float], str | None]
"""Given a choice, a step and what was reached there: why the trial should stop, or None."""


class TrialStoppedError(Exception):
    """Ends a trial that was judged too weak to go on; its text says why."""


class Climb:
    """What one trial reaches. Implements core.stages.reporter.Reporter.

    Args:
        ladder: the rungs.
        choice: what the trial drew.
        rule: of the trial's own chain.
        judge: asked at every rung; its answer is not heeded after the last pass, and where the rule ends the
            chain, as nothing is left to spare.
    """

    def __init__(self, ladder: Ladder, choice: Choice, rule: StopRule, judge: Judge) -> None:
        self.chain: list[float] = []
        self.reached: dict[int, float] = {}
        self._ladder, self._choice, self._rule, self._judge = ladder, choice, rule, judge
        self._found = False

    def after_epoch(self, kind: StageKind, epoch: int, accuracy: float, *, found: bool = False) -> None:
        """An epoch (from 0) is done, or found with its whole stage: then to stop there would spare nothing.

        Raises:
            TrialStoppedError: where the trial is judged too weak to go on; so does ``after_pass``.
        """
        if kind == "pass-2" and epoch + 1 in self._ladder.epochs:
            self._reach(self._ladder.epochs.index(epoch + 1), accuracy, last=found)

    def after_pass(self, pass_index: int, accuracy: float) -> None:
        """Pass 2 (0) or a pruning pass is done."""
        self.chain.append(accuracy)
        last = pass_index == self._choice.passes or self._rule.should_stop(self.chain)
        self._reach(self._ladder.pass_step(pass_index), max(self.chain), last=last)

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See Reporter."""
        self._found = reused

    def epoch_finished(
        self,
        kind: StageKind,
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,  # noqa: ARG002
    ) -> None:
        """See Reporter; may raise TrialStoppedError."""
        self.after_epoch(kind, metrics.epoch, metrics.accuracy, found=self._found)

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter; may raise TrialStoppedError."""
        if result.kind != "pass-1":
            self.after_pass(result.pass_index, result.accuracy)

    def _reach(self, step: int, value: float, *, last: bool) -> None:
        self.reached[step] = value
        reason = self._judge(self._choice, step, value)
        if reason and not last:
            raise TrialStoppedError(reason)
