"""The study of a sweep: samples the config of every trial and records what the trial measured.

Sampling. A sweep's trials are numbered from 0; ``t0007`` has trial index 7. The first trials run the search
space's initial configs. The next ones are sampled uniformly until ten trials (or all initial configs, if
these are more) are finished. From then on the sweep's sampler proposes configs from the
observations; with probability ``search.keep_prefix`` it must keep the prefix of one of the six best (the
parameters that pass 2 depends on), so that pass 2 is reused. Seeds derive from the sweep's seed and the trial
index.

A sampled config is rejected if running it would add no information: its value follows from a trained chain, a
config with the same stage was stopped, or it failed. Then one parameter at a time is sampled again, up to 40
times. A config that was tried already is accepted only if it is the best so far and below
``search.max_seeds`` seeds; it runs with another seed.

Observations. A trained chain of passes also gives the value of the same config with fewer passes. The sampler
learns from these, too. They follow from the stored chains, so the study holds trials of the sweep only.

Two objectives. If the search minimizes multiply-adds, too, every pass of a chain is an observation of its
own, a stopped trial has none but those of its passes, and the prefixes that are kept are those of the front.
In half of the trials the pruning (scope, ratio, passes) is sampled uniformly.

Storage. A trial's parameters are its hyperparameters, and its intermediate values are at epochs since the
start of pass 2. Its user attributes, the sampler's code among them, are in `autohier.sweep.study.attributes`.

Resuming. The Optuna study is the only state: a driver that dies at any moment loses what running trials have
not recorded, nothing else. The next driver marks these trials FAIL and runs their configs again with the same
trial index and seed; so it does with trials of a failure streak that stopped the sweep, and with trials that
failed because of a disk or a lost process. Which config a trial gets
depends on the sweep's seed, the trial index and what was recorded before, not on the number of drivers. Thus
a sweep that runs one trial at a time samples the same configs with and without interruptions; trials that
run at the same time may end in another order, and later configs differ accordingly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.config.search.search_space import InitialConfig
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.trial_config import TrialConfig
from autohier.digest import derive_seed
from autohier.errors import ENVIRONMENT_FAILURES, FailureClass
from autohier.sweep.scheduling.host import build_scheduler
from autohier.sweep.scheduling.rungs import RungReport, open_rungs
from autohier.sweep.study.attributes import (
    BOUND,
    CHAIN,
    CODE,
    COSTS,
    FAILURE,
    REASON,
    RETRIED,
    RUNG_COSTS,
    SEARCH,
    SEED,
    SOURCE,
    WARM_FROM,
    begun_attributes,
    facts_of,
)
from autohier.sweep.study.budget import budget_is_used_up
from autohier.sweep.study.derived_trials import worth_of
from autohier.sweep.study.ended_trials import StudyTrials, study_trials, trial_name
from autohier.sweep.study.parameters import parameter_distributions, parameters, params_of
from autohier.sweep.study.sampling.hyperparameters import ConfigSampler
from autohier.sweep.study.sampling.search_space import decode, encode, plain_code
from autohier.sweep.study.storages.storage import open_study, written_at_once
from autohier.sweep.study.trial_index import MEASURED, TrialIndex

_TESTS = "tests"
_SAMPLED, _SAMPLED_KEPT = "sampled", "sampled, prefix kept"
"""Sources of a config, as they stand in the records."""
_STARTUP_TRIALS = 10
"""Trials finished before the sampler learns from them; until then configs are sampled uniformly."""
_UNIFORM_PRUNING = 0.5
"""Share of the trials whose pruning is sampled uniformly if the search minimizes multiply-adds, too. A
sampler learns what is good at the costs that were tried; a front has to be found at all of them."""
_MAX_SAMPLES = 40
"""Samples and single-parameter steps for one trial, before a config is accepted that adds no information."""


@dataclass(frozen=True, slots=True)
class SampledTrial:
    """A trial that is to run."""

    trial: optuna.Trial
    index: int
    source: str
    config: TrialConfig
    role: str = SEARCH
    """See `autohier.records.schema.TrialRow`."""
    confirms: str = ""
    """Name of the trial that it repeats with a fresh seed, if it confirms one."""

    @property
    def name(self) -> str:
        """Name of the trial in messages and folders."""
        return trial_name(self.index, confirms=self.role != SEARCH)

    @property
    def number(self) -> int | None:
        """Number in the study; None for a confirmation run."""
        return self.trial.number if self.role == SEARCH else None

    @property
    def trial_index(self) -> int | None:
        """Index in the sweep; None for a confirmation run."""
        return self.index if self.role == SEARCH else None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Accuracies that a trial measured before it ended."""

    chain: Sequence[float]
    """Validation accuracy of pass 2 and of each pruning pass."""
    rungs: Mapping[int, float]
    """Value at each rung that the trial reached, by step, ascending."""
    rung_costs: Mapping[int, int | None] = field(default_factory=dict)
    """Multiply-adds at each rung, by step, if the search minimizes them."""


class SweepStudy:
    """The Optuna study of one sweep; one driver at a time owns it.

    Args:
        plan: of the sweep.
        storage: of the study; see `autohier.sweep.study.storages.storage`.
    """

    def __init__(self, plan: SweepPlan, storage: BaseStorage) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.plan = self._plan = plan
        self.storage = self._storage = storage
        """Shared with the study of the confirmation."""
        self._study = open_study(storage, plan.study_name, *plan.space.search.objectives)
        self._id = storage.get_study_id_from_name(plan.study_name)
        self.scheduler = plan.scheduler
        """Registered name of the trial scheduler."""
        self.stops_trials = build_scheduler(plan.scheduler, open_rungs(plan.space)).stops_trials
        self.rungs = open_rungs(plan.space, within_pass_2=self.stops_trials)
        self._trial_index = self._read_trial_index()

    def reconcile(self) -> int:
        """Mark the trials of earlier drivers that still run as lost; return how many trials must run again.

        Trials that failed because of a disk or a lost process run again, too: their configs are not at fault.
        Call it while holding the sweep's lock: then no other driver can own a trial.
        """
        orphans = list(self._trial_index.running.values())
        for orphan in orphans:
            self._study.tell(orphan.number, state=TrialState.FAIL)
        self._trial_index = self._read_trial_index()
        tries = self._trial_index.tries.values()
        self.retry(each.number for each in tries if each.user_attrs.get(FAILURE) in ENVIRONMENT_FAILURES)
        return len(self._trial_index.lost)

    def next_trial(self) -> SampledTrial | None:
        """Sample the next trial and add it to the study; return None if the sweep has all its trials."""
        trial_index, initial = self._trial_index, self._plan.space.initial
        if trial_index.lost:
            index = min(trial_index.lost)
            lost = trial_index.lost[index]
            attrs = lost.user_attrs
            return self._begin(index, self._params(lost), attrs.get(CODE), attrs[SOURCE], attrs[SEED])
        index = trial_index.num_sampled
        if index >= self.target:
            return None
        code: Mapping[str, Any] | None
        if index < len(initial):
            params, code, source = self._initial(initial[index])
        else:
            code, source = self._sample(index)
            params = decode(self._plan.space, code)
        num_seeds = trial_index.num_seeds(params)
        # Derived, not seed + 1: users start the next sweep with that one and expect it to be independent.
        seed = derive_seed(self._plan.seed, "run again", num_seeds) if num_seeds else self._plan.seed
        return self._begin(index, params, code, source, seed)

    def record_complete(
        self, sampled: SampledTrial, measured: Measurements, facts: Mapping[str, Any]
    ) -> None:
        """Record a complete trial. Its value is the best accuracy of its chain, within the bound if any is.

        Args:
            sampled: the trial.
            measured: its accuracies.
            facts: stored with the trial as user attributes.
        """
        self._record(sampled, TrialState.COMPLETE, measured, facts)

    def record_pruned(
        self,
        sampled: SampledTrial,
        measured: Measurements,
        reason: str,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a trial that the scheduler stopped, with the value at its last rung; it counts as tried.

        Args:
            sampled: the trial.
            measured: its accuracies.
            reason: why it was stopped.
            facts: as in `record_complete`.
        """
        self._record(sampled, TrialState.PRUNED, measured, {**(facts or {}), REASON: reason})

    def record_failure(
        self,
        sampled: SampledTrial,
        reason: str,
        failure: FailureClass,
        spent: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Record a failed trial; it counts as tried unless `retry` lists it.

        Args:
            sampled: the trial.
            reason: its error.
            failure: class of its error.
            spent: epochs and seconds that it trained, for the budget.
        """
        facts = {REASON: reason, FAILURE: failure, **spent}
        self._record(sampled, TrialState.FAIL, Measurements((), {}), facts)

    def retry(self, numbers: Iterable[int]) -> None:
        """Let failed trials count as untried, so that they run again.

        A recorded failure cannot be changed in Optuna, so the list is an attribute of the study.

        Args:
            numbers: Optuna numbers of trials that have failed, or whose failure is about to be recorded.
        """
        known = self._retried()
        if new := set(numbers) - known:
            self._study.set_user_attr(RETRIED, sorted(known | new))
            self._trial_index = self._read_trial_index()

    def names_of(self, numbers: Collection[int]) -> frozenset[str]:
        """Return the names of the trials with these Optuna numbers."""
        tries = self._trial_index.tries.items()
        return frozenset(trial_name(index) for index, trial in tries if trial.number in numbers)

    def num_finished(self) -> int:
        """Return the number of trials that are complete, pruned or failed."""
        return self._trial_index.num_tried

    @property
    def target(self) -> int:
        """Number of trials that the search runs: the plan's, or those sampled when its budget is used up."""
        facts = map(facts_of, self._trial_index.tries.values())
        is_used_up = budget_is_used_up(self._plan, facts)
        return min(self._plan.trials, self._trial_index.num_sampled) if is_used_up else self._plan.trials

    def num_sampled(self) -> int:
        """Return the number of trials sampled so far, finished or not."""
        return self._trial_index.num_sampled

    def config(self, number: int) -> TrialConfig:
        """Return the config of the trial with an Optuna number."""
        trial = self._trials()[number]
        return self._plan.space.config(self._params(trial), seed=trial.user_attrs[SEED])

    def trials(self) -> StudyTrials:
        """Return the sweep's trials, with what each ended one measured."""
        return study_trials(self._plan.space, self._trials(), self._retried())

    def record_tests(self, name: str, results: Sequence[Mapping[str, Any]]) -> None:
        """Keep the test results of a trial, as JSON values: lost records are restored from them."""
        self._study.set_user_attr(_TESTS, {**self.tests(), name: [dict(result) for result in results]})

    def tests(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the test results of trials that `record_tests` kept, by the name of the trial."""
        kept: Mapping[str, Sequence[Mapping[str, Any]]] = self._study.user_attrs.get(_TESTS, {})
        return kept

    def rung_reports(self) -> list[RungReport]:
        """Return the recorded reports of trials with the sweep's own seed, to restore a scheduler with."""
        return [
            self.rungs.report(self._params(trial), self.rungs.step_at(budget), value, cost)
            for trial in self._trial_index.tries.values()
            if trial.user_attrs[SEED] == self._plan.seed and trial.state in MEASURED
            for (budget, value), cost in zip_longest(
                trial.intermediate_values.items(), trial.user_attrs.get(RUNG_COSTS, ())
            )
        ]

    def add_results(self, results: Sequence[FrozenTrial]) -> None:
        """Add results of another sweep; skips those that are in the study already."""
        present = {trial.user_attrs.get(WARM_FROM) for trial in self._trials()}
        for result in results:
            if result.user_attrs[WARM_FROM] not in present:
                self._add(result)

    def _read_trial_index(self) -> TrialIndex:
        # In the order in which trials ended, as the driver that recorded them entered them.
        trials = sorted(self._trials(), key=_completed_at)
        return TrialIndex(self._plan.space, self.rungs, trials, self._retried())

    def _retried(self) -> frozenset[int]:
        return frozenset(self._study.user_attrs.get(RETRIED, ()))

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _params(self, trial: FrozenTrial) -> Hyperparameters:
        return params_of(self._plan.space, trial)

    def _initial(self, config: InitialConfig) -> tuple[Hyperparameters, Mapping[str, Any] | None, str]:
        """Return an initial config's hyperparameters, its encoding (None if off the grid) and its source."""
        space, given = self._plan.space, config.as_params()
        if space.find_fault(given):
            return space.complete(given), None, config.source
        code = encode(space, given)
        return decode(space, code), code, config.source

    def _sample(self, index: int) -> tuple[Mapping[str, Any], str]:
        space, seed, trial_index = self._plan.space, self._plan.seed, self._trial_index
        starting = trial_index.num_tried < max(_STARTUP_TRIALS, len(space.initial))
        prefixes = [] if starting else trial_index.prefixes.best()
        observed = () if starting else trial_index.observed
        configs = ConfigSampler(space, observed, trial_index.running_codes())
        random = np.random.default_rng(derive_seed(seed, "prefix", index))
        keeps = bool(prefixes) and random.random() < space.search.keep_prefix
        fixed = prefixes[random.integers(len(prefixes))] if keeps else {}
        sampler = "random" if starting else self._plan.sampler
        given = dict(fixed)
        if space.search.second_objective is not None and random.random() < _UNIFORM_PRUNING:
            given |= configs.pruning(derive_seed(seed, "pruning", index))
        encoded = configs.sample(sampler, derive_seed(seed, "ask", index, 0), given)
        for step in range(1, _MAX_SAMPLES):
            if trial_index.adds_information(decode(space, encoded)):
                break
            keeps = keeps and step < _MAX_SAMPLES // 2  # all configs with a prefix may be known
            encoded = configs.vary(encoded, derive_seed(seed, "ask", index, step), fixed if keeps else {})
        return encoded, _SAMPLED_KEPT if keeps else _SAMPLED

    def _begin(
        self, index: int, params: Hyperparameters, code: Mapping[str, Any] | None, source: str, seed: int
    ) -> SampledTrial:
        space = self._plan.space
        begun = begun_attributes(trial_name(index), index, params, source=source, seed=seed)
        trial = create_trial(
            state=TrialState.RUNNING,
            params=parameters(space, params),
            distributions=parameter_distributions(space, params),
            user_attrs=begun if code is None else {**begun, CODE: plain_code(space, code)},
        )
        trial_id = self._add(trial)
        config = space.config(params, seed=seed)
        return SampledTrial(optuna.Trial(self._study, trial_id), index, source, config)

    def _record(
        self,
        sampled: SampledTrial,
        state: TrialState,
        measured: Measurements,
        attributes: Mapping[str, Any],
    ) -> None:
        """Write a trial's values before its state, so that a trial whose record is cut short runs again."""
        trial = sampled.trial
        with written_at_once(self._storage):
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
            for step, value in measured.rungs.items():
                # Not by Trial.report, which refuses a study of two objectives.
                self._storage.set_trial_intermediate_value(trial_id, self.rungs.budgets[step], value)
            costs_at = [measured.rung_costs.get(step) for step in measured.rungs]
            known = {RUNG_COSTS: costs_at} if any(costs_at) else {}
            for name, attribute in {CHAIN: list(measured.chain), **known, **attributes}.items():
                trial.set_user_attr(name, attribute)
            values = None
            if state is TrialState.COMPLETE:
                search = self._plan.space.search
                worth = worth_of(measured.chain, attributes.get(COSTS, ()), search.max_multiply_adds)
                values = worth.values(search)
                if worth.excess is not None:
                    trial.set_constraint(BOUND, worth.excess)
            self._trial_index.enter(self._study.tell(trial, values, state))

    def _add(self, trial: FrozenTrial) -> int:
        """Add a whole trial to the study and to the index; return its id in the storage."""
        trial_id = self._storage.create_new_trial(self._id, template_trial=trial)
        trial.number = self._storage.get_trial_number_from_id(trial_id)
        self._trial_index.enter(trial)
        return trial_id


def _completed_at(trial: FrozenTrial) -> float:
    return trial.datetime_complete.timestamp() if trial.datetime_complete else float("inf")
