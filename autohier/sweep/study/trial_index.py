"""The driver's in-memory index of a study's trials; sampling a config costs the same however long a sweep is.

The latest try of a trial is the one that counts. A trained chain of passes also gives the value of the same
config with fewer passes: an observation for the sampler, which the study does not store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from copy import copy
from statistics import mean
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.fronts import front_ranks
from autohier.sweep.scheduling.rungs import Rungs, StageParams
from autohier.sweep.study.attributes import CHAIN, CODE, INDEX, is_lost
from autohier.sweep.study.derived_trials import (
    FrontPrefixes,
    Prefixes,
    Worth,
    observed_worth,
    shorter_chains,
)
from autohier.sweep.study.parameters import params_of
from autohier.sweep.study.sampling.hyperparameters import FrontObservations, Observations
from autohier.sweep.study.sampling.search_space import distributions

MEASURED = (TrialState.COMPLETE, TrialState.PRUNED)


class TrialIndex:
    """Counts and lookups over a study's trials; about 2 kB a trial.

    The study enters trials in its order, and again whenever a trial begins or ends.

    Args:
        space: of the sweep.
        rungs: of the sweep.
        trials: all trials of the study.
        retried: Optuna numbers of failed trials that are to be run again.
    """

    def __init__(
        self, space: SearchSpace, rungs: Rungs, trials: Iterable[FrozenTrial], retried: Container[int] = ()
    ) -> None:
        self._space, self._rungs, self._retried = space, rungs, retried
        self._distributions = distributions(space)
        self._has_cost = space.search.second_objective is not None
        self.tries: dict[int, FrozenTrial] = {}
        """The latest try of every trial, by trial index."""
        self.lost: dict[int, FrozenTrial] = {}
        """Trials that must run again, by trial index."""
        self.running: dict[int, FrozenTrial] = {}
        self.observed = FrontObservations() if self._has_cost else Observations()
        """All trials with a value, in codes, for the sampler: tries, warm-start results, and the shorter
        chains of both."""
        self.prefixes = FrontPrefixes(space) if self._has_cost else Prefixes(space)
        self.num_tried = 0
        self._values: dict[tuple[object, ...], list[float]] = {}
        self._means: dict[tuple[object, ...], float] = {}
        self._costs: dict[tuple[object, ...], float] = {}
        self._num_seeds: Counter[tuple[object, ...]] = Counter()
        self._known: set[tuple[object, ...]] = set()
        self._stopped: set[tuple[int, StageParams]] = set()
        for trial in trials:
            self.enter(trial)

    @property
    def num_sampled(self) -> int:
        """Number of trials sampled so far, including lost ones."""
        return 1 + max(self.tries, default=-1)

    def num_seeds(self, params: Hyperparameters) -> int:
        """Return the number of seeds with which a config was tried or runs now, without lost tries."""
        return self._num_seeds[params.effect]

    def is_best(self, params: Hyperparameters) -> bool:
        """Return True if no completed config has a higher mean over its seeds, or is as good and cheaper."""
        if params.effect not in self._means:
            return False
        if self._has_cost:
            ranks = front_ranks([(self._means[each], self._costs[each]) for each in self._means])
            return ranks[list(self._means).index(params.effect)] == 0
        return self._means[params.effect] >= max(self._means.values())

    def is_known(self, params: Hyperparameters) -> bool:
        """Return True if running a config would add no information.

        That is if its value follows from another trial of this sweep, if it failed, or if it, or a config
        that shares one of its stages, was stopped there. Results of other sweeps do not count.
        """
        if params.effect in self._known:
            return True
        steps = range(self._rungs.pass_step(params.passes) + 1)
        return any((step, self._rungs.stage_params(params, step)) in self._stopped for step in steps)

    def adds_information(self, params: Hyperparameters) -> bool:
        """Return True if the search should run a config, or run it again with another seed."""
        num_seeds = self.num_seeds(params)
        if not num_seeds:
            return not self.is_known(params)
        return num_seeds < self._space.search.max_seeds and self.is_best(params)

    def running_codes(self) -> list[FrozenTrial]:
        """Return the running trials in codes, for the sampler, without those that have none."""
        return [self._in_code(trial) for trial in self.running.values() if CODE in trial.user_attrs]

    def enter(self, trial: FrozenTrial) -> None:
        """Update the index with a trial that was read from the study, began or ended."""
        params, code = params_of(self._space, trial), trial.user_attrs.get(CODE)
        index = trial.user_attrs.get(INDEX)
        if index is not None:
            self._count(self.tries.get(index), params, -1)
            self._count(trial, params, 1)
            self.tries[index] = trial
            _keep(self.lost, index, trial, holds=is_lost(trial, self._retried))
            _keep(self.running, index, trial, holds=trial.state is TrialState.RUNNING)
        worth = self._worth(trial, params)
        if trial.state in MEASURED and code is not None:
            self._observe(trial, worth)
        if worth is not None:
            if code is not None:
                self.prefixes.add(params, code, worth)
            if index is not None:
                self._enter_result(params, trial, worth)
        if trial.state is TrialState.PRUNED:
            step = self._rungs.step_at(max(trial.intermediate_values))
            self._stopped.add((step, self._rungs.stage_params(params, step)))
        elif trial.state is TrialState.FAIL and not is_lost(trial, self._retried):
            self._known.add(params.effect)
        if trial.state in MEASURED:
            for passes, shorter_worth in shorter_chains(trial, self._space.search):
                shorter = params.model_copy(update={"passes": passes})
                self._enter_shorter(shorter, code, shorter_worth, is_known=index is not None)

    def _worth(self, trial: FrozenTrial, params: Hyperparameters) -> Worth | None:
        """Return the worth of a complete trial's config; None for other trials."""
        if trial.state is not TrialState.COMPLETE or not trial.values:
            return None
        if self._has_cost:
            return observed_worth(trial, params.passes, self._space.search)
        return Worth(trial.values[0], None)

    def _observe(self, trial: FrozenTrial, worth: Worth | None) -> None:
        """Let the sampler learn from a trial; with two objectives a stopped one has no value."""
        coded = self._in_code(trial)
        if self._has_cost:
            coded.values = None if worth is None else worth.values(self._space.search)
            coded.intermediate_values = {}  # samplers compare them by a single objective
            if worth is None and trial.state is TrialState.COMPLETE:
                return
        self.observed.add(coded)

    def _enter_result(self, params: Hyperparameters, trial: FrozenTrial, worth: Worth) -> None:
        if all(excess <= 0 for excess in trial.constraints.values()):
            values = self._values.setdefault(params.effect, [])
            values.append(worth.value)
            self._means[params.effect] = mean(values)
            self._costs[params.effect] = float(worth.multiply_adds or 0)
        self._known |= _equal_longer(params, len(trial.user_attrs[CHAIN]), self._space)

    def _enter_shorter(
        self, params: Hyperparameters, code: Mapping[str, Any] | None, worth: Worth, *, is_known: bool
    ) -> None:
        if code is not None:
            code = {**code, "passes": params.passes}
            observation = create_trial(
                values=worth.values(self._space.search),
                params=code,
                distributions=self._distributions,
                constraints=worth.constraints,
            )
            self.observed.add(observation)
            self.prefixes.add(params, code, worth)
        if is_known:
            self._known.add(params.effect)

    def _in_code(self, trial: FrozenTrial) -> FrozenTrial:
        """Return a trial with its code in place of the study's parameters."""
        coded = copy(trial)
        coded.params, coded.distributions = dict(trial.user_attrs[CODE]), self._distributions
        return coded

    def _count(self, trial: FrozenTrial | None, params: Hyperparameters, number: int) -> None:
        if trial is not None and not is_lost(trial, self._retried):
            self._num_seeds[params.effect] += number
            self.num_tried += number * trial.state.is_finished()


def _equal_longer(params: Hyperparameters, num_measured: int, space: SearchSpace) -> set[tuple[object, ...]]:
    """Return the configs with more passes that would train the same chain, as the stop rule ended it."""
    if num_measured > params.passes:
        return set()
    more = range(params.passes + 1, space.search.max_passes + 1)
    return {params.model_copy(update={"passes": passes}).effect for passes in more}


def _keep(trials: dict[int, FrozenTrial], index: int, trial: FrozenTrial, *, holds: bool) -> None:
    if holds:
        trials[index] = trial
    else:
        trials.pop(index, None)
