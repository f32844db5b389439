"""A trial callback that reports to the sweep's scheduler and stops the trial if the scheduler says so."""

from __future__ import annotations

import math
from collections.abc import Callable

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.trial_config import Objective
from autohier.core.recipes.base import ChainEnd
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.sweep.scheduling.rungs import RungReport, Rungs

StopDecision = Callable[[RungReport], str | None]
"""Returns why a trial stops at a rung, or None if it continues; see `TrialScheduler.decide`."""


class TrialStoppedError(Exception):
    """Ends a trial that its scheduler stops; the text says why."""


class EarlyStopping(TrialCallback):
    """Reports one trial's values of the objective at the rungs.

    Args:
        rungs: of the sweep.
        params: hyperparameters of the trial.
        ends: returns whether the trial ends, given the values of its chain.
        decide: called at every rung. Its answer is ignored if the trial ends here anyway, or is never
            stopped.
        objective: measurement on the validation clips that the sweep maximizes.
        has_cost: whether the sweep minimizes multiply-adds, too. Then a pruning pass reports its own value
            and cost, as no pass replaces a cheaper one; before pass 2 ends, a trial has the cost of pass 1.
    """

    def __init__(
        self,
        rungs: Rungs,
        params: Hyperparameters,
        ends: ChainEnd,
        decide: StopDecision,
        *,
        objective: Objective = "accuracy",
        has_cost: bool = False,
    ) -> None:
        self._objective, self._has_cost = objective, has_cost
        self._multiply_adds: int | None = None
        self.chain: list[float] = []
        """Value of pass 2 and of each pruning pass so far."""
        self.reached: dict[int, float] = {}
        """Value at each rung so far, by step."""
        self.costs: dict[int, int | None] = {}
        """Multiply-adds at each rung so far, by step; None unless the sweep minimizes them."""
        self._rungs, self._params, self._ends, self._decide = rungs, params, ends, decide
        self._stage_reused = False

    def after_epoch(self, kind: StageKind, epoch: int, value: float, *, reused: bool = False) -> None:
        """Report an epoch (counted from 0) if it is a rung.

        Args:
            kind: kind of the stage.
            epoch: of the stage.
            value: of the objective; NaN if a stage of an older version lacks it, which reports nothing.
            reused: the whole stage comes from the store, so that stopping within it saves nothing.

        Raises:
            TrialStoppedError: if the scheduler stops the trial.
        """
        if kind.starts_chain and epoch + 1 in self._rungs.epochs and not math.isnan(value):
            self._reach(self._rungs.epochs.index(epoch + 1), value, last=reused)

    def after_pass(self, pass_index: int, value: float, multiply_adds: int | None = None) -> None:
        """Report the end of pass 2 (0) or of a pruning pass, with the best value of the passes so far.

        Args:
            pass_index: 0 for pass 2, k for the k-th pruning pass.
            value: of the objective.
            multiply_adds: of the network, if the sweep minimizes them; the value reported is then its own.

        Raises:
            TrialStoppedError: if the scheduler stops the trial.
        """
        self.chain.append(value)
        self._multiply_adds = multiply_adds
        reached = max(self.chain) if multiply_adds is None else value
        self._reach(self._rungs.pass_step(pass_index), reached, last=self._ends(self.chain))

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See `TrialCallback`."""
        self._stage_reused = reused

    def on_epoch_end(
        self,
        kind: StageKind,
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,  # noqa: ARG002
    ) -> None:
        """See `TrialCallback`.

        Raises:
            TrialStoppedError: if the scheduler stops the trial.
        """
        self.after_epoch(kind, metrics.epoch, metrics.measure(self._objective), reused=self._stage_reused)

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`.

        Raises:
            TrialStoppedError: if the scheduler stops the trial.
        """
        multiply_adds = result.cost.multiply_adds if self._has_cost else None
        if result.kind.is_flat:
            self._multiply_adds = multiply_adds
        else:
            self.after_pass(result.pass_index, result.measure(self._objective), multiply_adds)

    def _reach(self, step: int, value: float, *, last: bool) -> None:
        self.reached[step], self.costs[step] = value, self._multiply_adds
        report = self._rungs.report(self._params, step, value, self._multiply_adds)
        reason = self._decide(report)
        if reason and not last and report.trial not in self._rungs.unstopped:
            raise TrialStoppedError(reason)
