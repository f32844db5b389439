"""A sweep without training: the same study, rungs and shared stages, on a clock that is only counted.

Trials run as many at a time as there are accelerators. A stage that another trial computes is waited for; one
that was cut short goes on where it was.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import Any

from optuna.storages import InMemoryStorage

from autohier.core.pruning import StopRule
from autohier.core.stages.result import StageKind
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.space import Setting
from autohier.settings.sweep import SweepPlan
from autohier.sweep.halving import Halving
from autohier.sweep.rungs import Climb, TrialStoppedError
from autohier.sweep.standin import StandIn
from autohier.sweep.study import Asked, Measured, SweepStudy

StageName = tuple[Any, ...]
"""Its kind and what its key would follow from."""
Trial = Generator[float | StageName, None, None]
"""Yields the seconds that it works next, or the stage that it waits for."""


@dataclass(frozen=True, slots=True)
class EpochCosts:
    """Seconds that one accelerator takes for an epoch, validation included, and for what is beside epochs."""

    pass_1_s: float
    pass_2_s: float
    pruning_s: float
    closing_s: float = 0.0
    """To measure a stage after its last epoch, on all frame sets."""
    reading_s: float = 0.0
    """To read the test split once."""


Costs = EpochCosts | Mapping[str, EpochCosts]
"""Of every variant by its name, or the same for all."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a sweep comes to."""

    epochs: int
    epochs_alone: int
    """What the same trials would have trained each for itself and to its end."""
    seconds: float
    """Of accelerators at work."""
    seconds_alone: float
    wall_s: float
    """Until the last trial ends."""
    num_stages: int
    """Finished ones."""
    num_unfinished: int
    """Stages that stopped trials left behind, each with an epoch checkpoint."""
    num_trials: int
    num_stopped: int
    best: float
    """Highest validation accuracy of a trial that went all its way."""
    winner_stages: int
    """Stages of the winner's refit, after the last trial; none without clean validation."""
    winner_epochs: int
    winner_s: float
    """Of one accelerator, to refit the winner and to read the test split."""
    asks_s: tuple[float, ...] = field(compare=False)
    """What each ask took, in real seconds."""


def simulate(plan: SweepPlan, stand_in: StandIn, costs: Costs, *, parallel: int) -> Expectation:
    """Run a sweep against a stand-in for training.

    Args:
        plan: what to run; nothing is read from its folders.
        stand_in: what settings are worth.
        costs: what epochs take; of several variants each as long as its own.
        parallel: trials at a time.
    """
    return _Simulation(plan, stand_in, costs).run(parallel)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How long stages of a kind train."""

    epochs: int
    epoch_s: float
    closing_s: float

    @property
    def seconds(self) -> float:
        return self.epochs * self.epoch_s + self.closing_s


@dataclass(frozen=True, slots=True)
class _Course:
    """How a setting's stages train, and what reading the test split costs."""

    recipes: Mapping[StageKind, _Recipe]
    reading_s: float

    @classmethod
    def of(cls, setting: Setting, costs: Costs, *, num_folds: int) -> _Course:
        own = costs if isinstance(costs, EpochCosts) else costs[setting.choice.variant]
        closing_s = num_folds * own.closing_s
        recipes: dict[StageKind, _Recipe] = {
            "pass-1": _Recipe(num_folds * setting.pass_1.epochs, own.pass_1_s, closing_s),
            "pass-2": _Recipe(num_folds * setting.pass_2.epochs, own.pass_2_s, closing_s),
            "prune": _Recipe(num_folds * setting.pruning.epochs, own.pruning_s, closing_s),
        }
        return cls(recipes, own.reading_s)

    def epochs(self, stages: Mapping[StageKind, int]) -> int:
        """Of so many stages of each kind."""
        return sum(self.recipes[kind].epochs * number for kind, number in stages.items())

    def seconds(self, stages: Mapping[StageKind, int]) -> float:
        """The same in seconds."""
        return sum(self.recipes[kind].seconds * number for kind, number in stages.items())


@dataclass(frozen=True, slots=True)
class _Winner:
    """The best trial that went all its way."""

    accuracy: float
    kept_pass: int
    setting: Setting


class _Simulation:
    def __init__(self, plan: SweepPlan, stand_in: StandIn, costs: Costs) -> None:
        self._plan, self._stand_in, self._costs = plan, stand_in, costs
        self._study = SweepStudy(plan, InMemoryStorage())
        self._halving = Halving(self._study.ladder, {})
        self._recipes: dict[StageName, _Recipe] = {}
        """Of every stage that has begun."""
        self._epochs_done: dict[StageName, int] = {}
        self._finished: set[StageName] = set()
        self._held: set[StageName] = set()
        self._waiting: dict[StageName, list[Trial]] = {}
        self._agenda: list[tuple[float, int, Trial]] = []
        self._order = count()
        self._now = 0.0
        self._asks_s: list[float] = []
        self._num_trials = self._num_stopped = 0
        self._epochs_alone, self._seconds_alone = 0, 0.0
        self._winner = _Winner(0.0, 0, plan.space.setting(FLAT_CHOICE, seed=plan.seed))

    def run(self, parallel: int) -> Expectation:
        """Until the study asks no more."""
        if self._plan.space.shares_pass_1:
            setting = self._winner.setting
            name, recipe = _stage_name("pass-1", setting, None), self._course(setting).recipes["pass-1"]
            self._recipes[name], self._epochs_done[name] = recipe, recipe.epochs
            self._finished.add(name)
            # Folds are trained beside each other.
            num_folds = self._plan.space.num_folds
            self._now = recipe.seconds * math.ceil(num_folds / parallel) / num_folds
        for _ in range(parallel):
            self._advance(self._next_trial())
        while self._agenda:
            self._now, _, trial = heapq.heappop(self._agenda)
            self._advance(trial)
        return self._expectation()

    def _next_trial(self) -> Trial | None:
        started = perf_counter()
        asked = self._study.ask()
        self._asks_s.append(perf_counter() - started)
        return None if asked is None else self._trial(asked)

    def _advance(self, trial: Trial | None) -> None:
        """Let an accelerator's trial, and then others, go on until one works or waits."""
        while trial is not None:
            step = next(trial, None)
            if step is None:
                trial = self._next_trial()
                continue
            if isinstance(step, tuple):
                self._waiting.setdefault(step, []).append(trial)
            else:
                self._schedule(trial, step)
            return

    def _schedule(self, trial: Trial, seconds: float) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), trial))

    def _trial(self, asked: Asked) -> Trial:
        setting = asked.setting
        own_seed = setting.seed == self._plan.seed
        course, rule = self._course(setting), StopRule(ties=setting.pruning.ties)
        judge = self._halving.judge if own_seed else lambda *_: None
        climb = Climb(self._study.ladder, setting.choice, rule, judge)
        self._count_alone(setting, course, rule)
        try:
            yield from self._stage("pass-1", setting, None, course, climb)
            yield from self._stage("pass-2", setting, 0, course, climb)
            while len(climb.chain) <= setting.choice.passes and not rule.should_stop(climb.chain):
                yield from self._stage("prune", setting, len(climb.chain), course, climb)
        except TrialStoppedError as stop:
            self._num_stopped += 1
            self._study.tell_stopped(asked, Measured(climb.chain, climb.reached), str(stop))
        else:
            found = _Winner(max(climb.chain), rule.best_pass(climb.chain), setting)
            if (found.accuracy, found.kept_pass) > (self._winner.accuracy, self._winner.kept_pass):
                self._winner = found
            self._study.tell_complete(asked, Measured(climb.chain, climb.reached), {})

    def _stage(
        self, kind: StageKind, setting: Setting, pass_index: int | None, course: _Course, climb: Climb
    ) -> Trial:
        name, recipe = _stage_name(kind, setting, pass_index), course.recipes[kind]
        self._recipes[name] = recipe
        while name in self._held:
            yield name
        value = self._stand_in.value(setting.choice, setting.seed, pass_index)
        found = name in self._finished
        self._held.add(name)
        try:
            for epoch in range(recipe.epochs):
                if epoch >= self._epochs_done.get(name, 0):
                    yield recipe.epoch_s
                    self._epochs_done[name] = epoch + 1
                reached = self._stand_in.after_epoch(value, epoch, recipe.epochs)
                climb.after_epoch(kind, epoch, reached, found=found)
            if name not in self._finished:
                yield recipe.closing_s
                self._finished.add(name)
        finally:
            self._held.discard(name)
            for trial in self._waiting.pop(name, []):
                self._schedule(trial, 0.0)
        if pass_index is not None:
            climb.after_pass(pass_index, value)

    def _count_alone(self, setting: Setting, course: _Course, rule: StopRule) -> None:
        """Count what a trial would cost that shares nothing, and that nothing but the stop rule ends."""
        chain = [self._stand_in.value(setting.choice, setting.seed, 0)]
        while len(chain) <= setting.choice.passes and not rule.should_stop(chain):
            chain.append(self._stand_in.value(setting.choice, setting.seed, len(chain)))
        alone: dict[StageKind, int] = {"pass-1": 1, "pass-2": 1, "prune": len(chain) - 1}
        self._num_trials += 1
        self._epochs_alone += course.epochs(alone)
        self._seconds_alone += course.seconds(alone)

    def _course(self, setting: Setting) -> _Course:
        return _Course.of(setting, self._costs, num_folds=self._plan.space.num_folds)

    def _expectation(self) -> Expectation:
        winner = self._winner_stages()
        refit = _Course.of(self._winner.setting, self._costs, num_folds=1)
        training_s = sum(self._recipes[name].epoch_s * number for name, number in self._epochs_done.items())
        return Expectation(
            epochs=sum(self._epochs_done.values()),
            epochs_alone=self._epochs_alone,
            seconds=training_s + sum(self._recipes[name].closing_s for name in self._finished),
            seconds_alone=self._seconds_alone,
            wall_s=self._now,
            num_stages=len(self._finished),
            num_unfinished=len(self._epochs_done.keys() - self._finished),
            num_trials=self._num_trials,
            num_stopped=self._num_stopped,
            best=self._winner.accuracy,
            winner_stages=sum(winner.values()),
            winner_epochs=refit.epochs(winner),
            winner_s=refit.seconds(winner) + self._num_readings() * refit.reading_s,
            asks_s=tuple(self._asks_s),
        )

    def _winner_stages(self) -> Mapping[StageKind, int]:
        """What its refit trains; see core.trial.refit."""
        is_refit = self._plan.space.protocol.validation != "paper"
        return {"pass-1": 1, "pass-2": 1, "prune": self._winner.kept_pass} if is_refit else {}

    def _num_readings(self) -> int:
        """Networks that read the test split: pass 1, pass 2 and a pruned winner, again where it is refit.

        With folds the refit ones alone.
        """
        is_read_twice = self._winner_stages() and self._plan.space.num_folds == 1
        return (2 + bool(self._winner.kept_pass)) * (2 if is_read_twice else 1)


def _stage_name(kind: StageKind, setting: Setting, pass_index: int | None) -> StageName:
    choice = setting.choice
    parts: dict[StageKind, tuple[object, ...]] = {
        "pass-1": choice.flat,
        "pass-2": choice.prefix,
        "prune": (*choice.chain, pass_index),
    }
    return (kind, setting.seed, *parts[kind])
