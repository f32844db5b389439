"""Searchers of simulated sweeps: one interface for a sweep's own study and for other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.chain import chain_end
from autohier.core.stages.kinds.base import StageKind
from autohier.sweep.scheduling.base import TrialScheduler
from autohier.sweep.scheduling.early_stopping import EarlyStopping
from autohier.sweep.scheduling.host import build_scheduler
from autohier.sweep.study.attributes import COSTS
from autohier.sweep.study.storages.storage import in_memory_storage
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy

DENSE_COST: Final = 1_000_000_000
"""Multiply-adds of every simulated network that is not pruned; only ratios of costs matter."""


class SearchedTrial(Protocol):
    """A trial that a searcher asked for; the simulator reports to it what the trial measures."""

    @property
    def config(self) -> TrialConfig:
        """Config of the trial."""

    def after_epoch(self, kind: StageKind, epoch: int, value: float, *, reused: bool) -> None:
        """Take the value after an epoch (from 0) of a stage; raise `TrialStoppedError` to stop the trial.

        Args:
            kind: kind of the stage.
            epoch: of the stage.
            value: validation accuracy.
            reused: the whole stage was trained before, so that stopping within it saves nothing.
        """

    def after_pass(self, pass_index: int, value: float) -> None:
        """Take the value of pass 2 (0) or of a pruning pass; raise `TrialStoppedError` to stop the trial."""

    def end(self, chain: Sequence[float], stopped: str) -> None:
        """Record that the trial ended.

        Args:
            chain: values of pass 2 and of the pruning passes.
            stopped: why the trial was stopped; empty if it is complete.
        """


class Searcher(Protocol):
    """Samples trials and learns from what they measure."""

    def next_trial(self) -> SearchedTrial | None:
        """Return the next trial, or None if there is none."""


class StudySearcher:
    """The study and the scheduler of a sweep. Implements `Searcher`."""

    def __init__(self, plan: SweepPlan) -> None:
        self._study, self._seed = SweepStudy(plan, in_memory_storage()), plan.seed
        self._scheduler = build_scheduler(plan.scheduler, self._study.rungs)

    def next_trial(self) -> SearchedTrial | None:
        """See `Searcher`."""
        sampled = self._study.next_trial()
        if sampled is None:
            return None
        # Only trials with the sweep's own seed are compared with each other.
        scheduler = self._scheduler if sampled.config.seed == self._seed else None
        return _StudyTrial(self._study, sampled, scheduler)


class _StudyTrial:
    def __init__(self, study: SweepStudy, sampled: SampledTrial, scheduler: TrialScheduler | None) -> None:
        self._study, self._sampled, self.config = study, sampled, sampled.config
        decide = scheduler.decide if scheduler else lambda _: None
        ends = chain_end(self.config)
        self._early_stopping = EarlyStopping(study.rungs, self.config.params, ends, decide)
        self.after_epoch = self._early_stopping.after_epoch

    def after_pass(self, pass_index: int, value: float) -> None:
        """See `SearchedTrial`."""
        has_cost = self.config.second_objective is not None
        cost = simulated_cost(self.config.params, pass_index) if has_cost else None
        self._early_stopping.after_pass(pass_index, value, cost)

    def end(self, chain: Sequence[float], stopped: str) -> None:
        """See `SearchedTrial`."""
        measured = Measurements(chain, self._early_stopping.reached)
        facts = {}
        if self.config.second_objective is not None:
            costs = [simulated_cost(self.config.params, pass_index) for pass_index in range(len(chain))]
            facts = {COSTS: costs}
        if stopped:
            self._study.record_pruned(self._sampled, measured, stopped, facts)
        else:
            self._study.record_complete(self._sampled, measured, facts)


def simulated_cost(params: Hyperparameters, pass_index: int) -> int:
    """Return the multiply-adds of a network after a pass, of one that has `DENSE_COST` before.

    A pass removes a share of the filters of every layer, and with them as many channels that the next layer
    reads, so that the cost falls with the square of the filters that are left. Variants are as expensive.
    """
    return max(1, round(DENSE_COST * (1 - params.ratio) ** (2 * pass_index)))
