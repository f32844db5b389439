"""A sweep without training: the same study, rungs and shared stages, on a clock that is only counted.

Trials run as many at a time as there are accelerators. A stage that another trial computes is waited for, as
in a real sweep; one that was cut short goes on where it was.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any

from optuna.storages import InMemoryStorage

from autohier.core.pruning import StopRule
from autohier.core.stages.result import StageKind
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
    """Seconds that one accelerator takes for an epoch, validation included."""

    pass_1_s: float
    pass_2_s: float
    pruning_s: float


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
    num_stages: int
    num_unfinished: int
    """Stages that stopped trials left behind, each with an epoch checkpoint."""
    num_trials: int
    num_stopped: int
    best: float
    """Highest validation accuracy of a trial that went all its way."""
    asks_s: tuple[float, ...]
    """What each ask took, in real seconds."""


def simulate(plan: SweepPlan, stand_in: StandIn, costs: EpochCosts, *, parallel: int) -> Expectation:
    """Run a sweep against a stand-in for training.

    Args:
        plan: what to run; nothing is read from its folders.
        stand_in: what settings are worth.
        costs: what epochs take.
        parallel: trials at a time.
    """
    return _Simulation(plan, stand_in, costs).run(parallel)


class _Simulation:
    def __init__(self, plan: SweepPlan, stand_in: StandIn, costs: EpochCosts) -> None:
        self._plan, self._stand_in = plan, stand_in
        space = plan.space
        self._recipe: dict[StageKind, tuple[int, float]] = {
            "pass-1": (space.pass_1.epochs, costs.pass_1_s),
            "pass-2": (space.pass_2.epochs, costs.pass_2_s),
            "prune": (space.pruning.epochs, costs.pruning_s),
        }
        self._study = SweepStudy(plan, InMemoryStorage())
        self._halving = Halving(self._study.ladder, {})
        self._rule = StopRule(ties=space.pruning.ties)
        self._epochs_done: dict[StageName, int] = {}
        self._held: set[StageName] = set()
        self._waiting: dict[StageName, list[Trial]] = {}
        self._agenda: list[tuple[float, int, Trial]] = []
        self._order = count()
        self._now = 0.0
        self._asks_s: list[float] = []
        self._chains: list[int] = []
        self._num_stopped, self._best = 0, 0.0

    def run(self, parallel: int) -> Expectation:
        """Until the study asks no more."""
        epochs, epoch_s = self._recipe["pass-1"]
        self._epochs_done["pass-1", self._plan.seed] = epochs
        self._now = epochs * epoch_s
        for _ in range(parallel):
            self._begin_next()
        while self._agenda:
            self._now, _, trial = heapq.heappop(self._agenda)
            self._advance(trial)
        return self._expectation()

    def _begin_next(self) -> None:
        started = perf_counter()
        asked = self._study.ask()
        self._asks_s.append(perf_counter() - started)
        if asked is not None:
            self._advance(self._trial(asked))

    def _advance(self, trial: Trial) -> None:
        try:
            step = next(trial)
        except StopIteration:
            self._begin_next()
            return
        if isinstance(step, tuple):
            self._waiting.setdefault(step, []).append(trial)
        else:
            self._schedule(trial, step)

    def _schedule(self, trial: Trial, seconds: float) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), trial))

    def _trial(self, asked: Asked) -> Trial:
        setting = asked.setting
        own_seed = setting.seed == self._plan.seed
        climb = Climb(
            self._study.ladder, setting.choice, self._halving.judge if own_seed else lambda *_: None
        )
        self._chains.append(self._full_chain(setting))
        try:
            yield from self._stage("pass-1", setting, None, climb)
            yield from self._stage("pass-2", setting, 0, climb)
            while len(climb.chain) <= setting.choice.passes and not self._rule.should_stop(climb.chain):
                yield from self._stage("prune", setting, len(climb.chain), climb)
        except TrialStoppedError as stop:
            self._num_stopped += 1
            self._study.tell_stopped(asked, Measured(climb.chain, climb.reached), str(stop))
        else:
            self._best = max(self._best, *climb.chain)
            self._study.tell_complete(asked, Measured(climb.chain, climb.reached), {})

    def _stage(self, kind: StageKind, setting: Setting, pass_index: int | None, climb: Climb) -> Trial:
        name = _stage_name(kind, setting, pass_index)
        epochs, epoch_s = self._recipe[kind]
        while name in self._held:
            yield name
        value = self._stand_in.value(setting.choice, setting.seed, pass_index)
        self._held.add(name)
        try:
            for epoch in range(epochs):
                if epoch >= self._epochs_done.get(name, 0):
                    yield epoch_s
                    self._epochs_done[name] = epoch + 1
                climb.after_epoch(kind, epoch, self._stand_in.after_epoch(value, epoch, epochs))
        finally:
            self._held.discard(name)
            for trial in self._waiting.pop(name, []):
                self._schedule(trial, 0.0)
        if pass_index is not None:
            climb.after_pass(pass_index, value)

    def _full_chain(self, setting: Setting) -> int:
        """Pruning passes of a trial that nothing but the stop rule ends."""
        chain = [self._stand_in.value(setting.choice, setting.seed, 0)]
        while len(chain) <= setting.choice.passes and not self._rule.should_stop(chain):
            chain.append(self._stand_in.value(setting.choice, setting.seed, len(chain)))
        return len(chain) - 1

    def _expectation(self) -> Expectation:
        recipe = self._recipe
        done = Counter[StageKind]()
        for name, epochs in self._epochs_done.items():
            done[_kind(name)] += epochs
        alone: dict[StageKind, int] = {
            "pass-1": recipe["pass-1"][0] * len(self._chains),
            "pass-2": recipe["pass-2"][0] * len(self._chains),
            "prune": recipe["prune"][0] * sum(self._chains),
        }
        whole = [name for name, epochs in self._epochs_done.items() if epochs == recipe[_kind(name)][0]]
        return Expectation(
            epochs=sum(done.values()),
            epochs_alone=sum(alone.values()),
            seconds=sum(recipe[kind][1] * number for kind, number in done.items()),
            seconds_alone=sum(recipe[kind][1] * number for kind, number in alone.items()),
            wall_s=self._now,
            num_stages=len(whole),
            num_unfinished=len(self._epochs_done) - len(whole),
            num_trials=len(self._chains),
            num_stopped=self._num_stopped,
            best=self._best,
            asks_s=tuple(self._asks_s),
        )


def _kind(name: StageName) -> StageKind:
    kind: StageKind = name[0]
    return kind


def _stage_name(kind: StageKind, setting: Setting, pass_index: int | None) -> StageName:
    choice = setting.choice
    prefix = (choice.superclasses, choice.weight_ratio)
    parts: dict[StageKind, tuple[object, ...]] = {
        "pass-1": (),
        "pass-2": prefix,
        "prune": (*prefix, *choice.pruning, pass_index),
    }
    return (kind, setting.seed, *parts[kind])
