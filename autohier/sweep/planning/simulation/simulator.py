"""Simulated sweeps: a sweep's own study, scheduler and recipe, against a surrogate and a counted clock.

Each accelerator runs one trial at a time. With a scaling, stages hold accelerators and trials do not: a stage
trains on several if they are idle, and a waiting trial holds none; `AcceleratorPool` decides. A trial waits
for a stage that another trial is training, and continues a stage that a stopped trial left unfinished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from autohier.config.scaling import Scaling
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.trial_config import Objective, TrialConfig
from autohier.core.pruning import StopRule
from autohier.core.recipes.base import Recipe, StageRequest, run_recipe
from autohier.core.recipes.chain import chain_end, open_recipe, stage_kinds
from autohier.core.stages.kinds.base import StageKind
from autohier.sweep.planning.simulation.clock import Clock, Event, Steps
from autohier.sweep.planning.simulation.results import Costs, EndedTrial, EpochCosts, SimulatedSweep
from autohier.sweep.planning.simulation.searchers import SearchedTrial, Searcher, StudySearcher
from autohier.sweep.planning.simulation.surrogate import Surrogate
from autohier.sweep.scheduling.accelerator_pool import Accelerator, AcceleratorPool
from autohier.sweep.scheduling.early_stopping import TrialStoppedError
from autohier.sweep.study.budget import budget_is_used_up

StageId = tuple[Any, ...]
"""Equal for stages that would have the same key in a stage store."""
_ACCELERATORS, _REFIT = "accelerators", "refit"


def simulate(
    plan: SweepPlan,
    surrogate: Surrogate,
    costs: Costs,
    *,
    parallel: int,
    searcher: Searcher | None = None,
    share_stages: bool = True,
    scaling: Scaling | None = None,
) -> SimulatedSweep:
    """Run a sweep against a surrogate for training.

    Args:
        plan: what to run; nothing is read from its folders.
        surrogate: accuracy of each config.
        costs: seconds of epochs, for each variant or for all.
        parallel: number of accelerators, each with one trial at a time.
        searcher: samples the trials; None takes the sweep's own study and scheduler.
        share_stages: False trains every stage of every trial, as without a stage store.
        scaling: lets a stage train on several accelerators; None has each trial hold one accelerator.
    """
    searcher = searcher or StudySearcher(plan)
    simulation = _Simulation(plan, surrogate, costs, searcher, share_stages, scaling)
    return simulation.run(parallel)


@dataclass(frozen=True, slots=True)
class _StageCost:
    """Training time of one stage."""

    epochs: int
    epoch_s: float
    closing_s: float

    @classmethod
    def of(cls, kind: StageKind, config: TrialConfig, costs: Costs, num_folds: int) -> _StageCost:
        own = costs if isinstance(costs, EpochCosts) else costs[config.params.variant]
        return cls(num_folds * kind.epochs(config), own.epoch_s(kind), num_folds * own.closing_s)

    @property
    def seconds(self) -> float:
        return self.epochs * self.epoch_s + self.closing_s


@dataclass(frozen=True, slots=True)
class _SimulatedStage:
    """Result of a simulated stage."""

    kind: StageKind
    accuracy: float
    """Stands for the objective of the search, whichever it is."""

    def measure(self, objective: Objective) -> float:  # noqa: ARG002
        """Return the simulated value."""
        return self.accuracy


@dataclass(frozen=True, slots=True)
class _Winner:
    """The best completed trial."""

    accuracy: float
    kept_pass: int
    config: TrialConfig


@dataclass(slots=True)
class _Running:
    """A running trial and what it has measured so far."""

    number: int
    searched: SearchedTrial
    own_epochs: int = 0
    trained_epochs: int = 0
    trained_s: float = 0.0
    curve: list[float] = field(default_factory=list)
    chain: list[float] = field(default_factory=list)


class _Simulation:
    def __init__(
        self,
        plan: SweepPlan,
        surrogate: Surrogate,
        costs: Costs,
        searcher: Searcher,
        share_stages: bool,
        scaling: Scaling | None,
    ) -> None:
        self._plan, self._surrogate, self._costs = plan, surrogate, costs
        self._searcher, self._share_stages, self._scaling = searcher, share_stages, scaling
        self._clock = Clock()
        self._pool: AcceleratorPool | None = None
        self._epochs_done: Counter[StageId] = Counter()
        self._finished: set[StageId] = set()
        self._leased: set[StageId] = set()
        self._busy_s = {False: 0.0, True: 0.0}
        """Seconds of accelerators for the search (False) and for the refit (True)."""
        self._asks_s: list[float] = []
        self._num_trials = 0
        self._ended: list[EndedTrial] = []
        self._epochs_alone, self._seconds_alone = 0, 0.0
        self._search_s, self._refit_s = 0.0, 0.0
        self._winner = _Winner(0.0, 0, plan.space.config(FLAT_PARAMS, seed=plan.seed))

    def run(self, parallel: int) -> SimulatedSweep:
        """Run until the searcher samples no more trials, or the plan's budget is used up."""
        if self._scaling:
            accelerators = [Accelerator("", index) for index in range(parallel)]
            self._pool = AcceleratorPool(accelerators, max_width=self._scaling.max_width)
        self._clock.run(self._sweep(parallel))
        return self._summary()

    def _sweep(self, parallel: int) -> Steps:
        if self._plan.space.shares_pass_1 and self._share_stages:
            if self._pool and self._refit_kinds():
                self._clock.start(self._train_refit_pass_1())
            yield from self._train_shared_pass_1(parallel)
        yield from self._clock.start_all(self._trials() for _ in range(parallel))
        self._search_s = self._clock.now
        yield from self._refit()
        self._refit_s = self._clock.now - self._search_s

    def _train_shared_pass_1(self, parallel: int) -> Steps:
        config = self._winner.config
        kind = stage_kinds(config, 0)[0]
        stage, cost = _stage_id(StageRequest(kind), config), self._cost(kind, config, 1)
        folds = list(range(self._plan.space.num_folds))

        def train_folds() -> Steps:
            while folds:
                yield from self._train((*stage, folds.pop()), cost)

        # Folds run in parallel.
        yield from self._clock.start_all(train_folds() for _ in range(len(folds) if self._pool else parallel))
        self._epochs_done[stage] = cost.epochs * self._plan.space.num_folds
        self._finished.add(stage)

    def _train(self, stage: StageId, cost: _StageCost, *, ahead: bool = False) -> Steps:
        """Train a whole stage that belongs to no trial."""
        with self._accelerators(stage, ahead=ahead):
            for _ in range(cost.epochs):
                yield from self._compute(stage, cost.epoch_s)
            yield from self._compute(stage, cost.closing_s)

    def _refit(self) -> Steps:
        """Refit the winner and evaluate it on the test split."""
        for number, kind in enumerate(self._refit_kinds()):
            stage, cost = (_REFIT, number), self._cost(kind, self._winner.config, 1)
            if stage in self._leased and self._pool:
                self._let_train(self._pool.need(stage))
            while stage in self._leased:
                yield stage
            if stage not in self._finished:
                yield from self._train(stage, cost)
        reading = (_REFIT, "test")
        with self._accelerators(reading):
            for _ in range(self._test_evaluations()):
                yield from self._compute(reading, self._reading_s())

    def _train_refit_pass_1(self) -> Steps:
        """Train pass 1 of the refit, the same for every winner, with what is idle during the search."""
        config, stage = self._winner.config, (_REFIT, 0)
        self._leased.add(stage)
        yield from self._train(stage, self._cost(stage_kinds(config, 0)[0], config, 1), ahead=True)
        self._finished.add(stage)
        self._leased.discard(stage)
        self._clock.wake(stage)

    def _trials(self) -> Steps:
        """Run one trial after another."""
        while not budget_is_used_up(self._plan, (ended.effort for ended in self._ended)):
            started = perf_counter()
            searched = self._searcher.next_trial()
            self._asks_s.append(perf_counter() - started)
            if searched is None:
                return
            yield from self._trial(_Running(len(self._asks_s), searched))

    @contextmanager
    def _accelerators(self, stage: StageId, *, ahead: bool = False) -> Iterator[None]:
        """Claim accelerators for a stage; without a pool, a trial has its own."""
        if self._pool is None:
            yield
            return
        self._let_train(self._pool.claim(stage, ahead=ahead))
        try:
            yield
        finally:
            self._let_train(self._pool.release(stage))

    def _compute(self, stage: StageId, seconds: float) -> Generator[float | Event, None, float]:
        """Compute on the accelerators of a stage, then choose their number again; return the duration."""
        if self._pool is None or self._scaling is None:
            yield seconds
            self._busy_s[stage[0] == _REFIT] += seconds
            return seconds
        while not (width := len(self._pool.held(stage))):
            yield (_ACCELERATORS, stage)
        duration = seconds * self._scaling.duration(width)
        yield duration
        self._busy_s[stage[0] == _REFIT] += width * duration
        self._let_train(self._pool.rechoose(stage))
        return duration

    def _let_train(self, stages: Iterable[Hashable]) -> None:
        for stage in stages:
            self._clock.wake((_ACCELERATORS, stage))

    def _trial(self, trial: _Running) -> Steps:
        config = trial.searched.config
        self._count_alone(config)
        stopped = ""
        try:
            yield from self._run(open_recipe(config, chain_end(config)), trial)
        except TrialStoppedError as stop:
            stopped = str(stop)
        else:
            kept_pass = StopRule(ties=config.pruning.ties).best_pass(trial.chain)
            result = _Winner(max(trial.chain), kept_pass, config)
            if (result.accuracy, result.kept_pass) > (self._winner.accuracy, self._winner.kept_pass):
                self._winner = result
        trial.searched.end(trial.chain, stopped)
        self._ended.append(
            EndedTrial(
                config=config,
                curve=tuple(trial.curve),
                chain=tuple(trial.chain),
                is_complete=not stopped,
                own_epochs=trial.own_epochs,
                epochs=sum(self._epochs_done.values()),
                effort={"epochs_computed": trial.trained_epochs, "seconds_computed": trial.trained_s},
            )
        )

    def _run(self, recipe: Recipe[_SimulatedStage], trial: _Running) -> Steps:
        request = next(recipe)
        while True:
            yield from self._stage(request, trial)
            try:
                request = recipe.send(self._result(request, trial.searched.config))
            except StopIteration:
                return

    def _stage(self, request: StageRequest[_SimulatedStage], trial: _Running) -> Steps:
        kind, config = request.kind, trial.searched.config
        stage, cost = _stage_id(request, config), self._cost(kind, config)
        if not self._share_stages:
            stage = (trial.number, *stage)
        while stage in self._leased:
            yield stage
        accuracy = self._result(request, config).accuracy
        cached = stage in self._finished
        self._leased.add(stage)
        try:
            with nullcontext() if cached else self._accelerators(stage):
                yield from self._epochs(request, trial, stage, cost)
                if not cached:
                    yield from self._compute(stage, cost.closing_s)
                    self._finished.add(stage)
        finally:
            self._leased.discard(stage)
            self._clock.wake(stage)
        if not kind.is_flat:
            trial.chain.append(accuracy)
            trial.searched.after_pass(request.pass_index, accuracy)

    def _epochs(
        self, request: StageRequest[_SimulatedStage], trial: _Running, stage: StageId, cost: _StageCost
    ) -> Steps:
        kind, config = request.kind, trial.searched.config
        cached = stage in self._finished
        for epoch in range(cost.epochs):
            if epoch >= self._epochs_done[stage]:
                duration = yield from self._compute(stage, cost.epoch_s)
                self._epochs_done[stage] = epoch + 1
                trial.trained_epochs += 1
                trial.trained_s += duration
            trial.own_epochs += 1
            reached = self._after_epoch(request, config, epoch, cost.epochs)
            if kind.starts_chain:
                trial.curve.append(reached)
            trial.searched.after_epoch(kind, epoch, reached, reused=cached)

    def _result(self, request: StageRequest[_SimulatedStage], config: TrialConfig) -> _SimulatedStage:
        accuracy = self._surrogate.value(config.params, config.seed, _pass_of(request))
        return _SimulatedStage(request.kind, accuracy)

    def _after_epoch(
        self, request: StageRequest[_SimulatedStage], config: TrialConfig, epoch: int, num_epochs: int
    ) -> float:
        return self._surrogate.after_epoch(config.params, config.seed, _pass_of(request), epoch, num_epochs)

    def _count_alone(self, config: TrialConfig) -> None:
        """Count the cost of a trial that shares no stages and is not stopped early."""
        recipe = open_recipe(config, chain_end(config))
        kinds = [stage.kind for stage in run_recipe(recipe, lambda request: self._result(request, config))]
        costs = [self._cost(kind, config) for kind in kinds]
        self._num_trials += 1
        self._epochs_alone += sum(cost.epochs for cost in costs)
        self._seconds_alone += _seconds(kinds, costs)

    def _cost(self, kind: StageKind, config: TrialConfig, num_folds: int | None = None) -> _StageCost:
        return _StageCost.of(kind, config, self._costs, num_folds or self._plan.space.num_folds)

    def _summary(self) -> SimulatedSweep:
        refit = self._refit_kinds()
        return SimulatedSweep(
            epochs=sum(self._epochs_done.values()),
            epochs_alone=self._epochs_alone,
            seconds=self._busy_s[False],
            seconds_alone=self._seconds_alone,
            wall_s=self._search_s,
            num_stages=len(self._finished) - sum(stage[0] == _REFIT for stage in self._finished),
            num_unfinished=len(self._epochs_done.keys() - self._finished),
            num_trials=self._num_trials,
            num_stopped=sum(not trial.is_complete for trial in self._ended),
            best=self._winner.accuracy,
            winner_stages=len(refit),
            winner_epochs=sum(self._cost(kind, self._winner.config, 1).epochs for kind in refit),
            winner_s=self._busy_s[True],
            winner_wall_s=self._refit_s,
            asks_s=tuple(self._asks_s),
            trials=tuple(self._ended),
        )

    def _refit_kinds(self) -> Sequence[StageKind]:
        """Return the stages that the winner's refit trains; see `autohier.core.trial.refit`."""
        if self._plan.space.protocol.validation == "paper":
            return ()
        return stage_kinds(self._winner.config, self._winner.kept_pass)

    def _reading_s(self) -> float:
        costs = self._costs
        own = costs if isinstance(costs, EpochCosts) else costs[self._winner.config.params.variant]
        return own.reading_s

    def _test_evaluations(self) -> int:
        """Return how many networks are evaluated on the test split.

        These are pass 1, pass 2 and a pruned winner: as trained, and again if they are refit. With folds only
        the refit ones are evaluated.
        """
        is_evaluated_twice = self._refit_kinds() and self._plan.space.num_folds == 1
        return (2 + bool(self._winner.kept_pass)) * (2 if is_evaluated_twice else 1)


def _pass_of(request: StageRequest[_SimulatedStage]) -> int | None:
    return None if request.kind.is_flat else request.pass_index


def _stage_id(request: StageRequest[_SimulatedStage], config: TrialConfig) -> StageId:
    kind = request.kind
    return (kind.name, config.seed, request.pass_index, *kind.sampled(config.params))


def _seconds(kinds: Sequence[StageKind], costs: Sequence[_StageCost]) -> float:
    """Sum the seconds of stages, kind by kind."""
    seconds = dict(zip(kinds, (cost.seconds for cost in costs), strict=True))
    return sum(seconds[kind] * number for kind, number in Counter(kinds).items())
