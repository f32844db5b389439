"""The study of a sweep's confirmation: chosen configs, trained again with fresh seeds.

It lies in the sweep's storage, next to the study of the search, whose sampler never sees it. It has the same
guarantees: what is not recorded when a driver dies runs again with the same config and seed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.errors import ENVIRONMENT_FAILURES, FailureClass
from autohier.sweep.choice.confirmation import Run
from autohier.sweep.study.attributes import (
    CHAIN,
    CONFIRMS,
    FAILURE,
    INDEX,
    REASON,
    RETRIED,
    ROLE,
    begun_attributes,
    is_lost,
)
from autohier.sweep.study.ended_trials import (
    StudyTrials,
    confirmation_study_name,
    study_trials,
    trial_name,
)
from autohier.sweep.study.parameters import parameter_distributions, parameters
from autohier.sweep.study.storages.storage import open_study, written_at_once
from autohier.sweep.study.study import Measurements, SampledTrial

_RUNS = "runs"
"""User attribute of the study: its runs in order, as JSON values."""


class ConfirmationStudy:
    """Runs of one sweep's confirmation; one driver at a time owns it.

    Args:
        plan: of the sweep.
        storage: of the sweep.
    """

    def __init__(self, plan: SweepPlan, storage: BaseStorage) -> None:
        self._plan, self._storage = plan, storage
        name = confirmation_study_name(plan.study_name)
        self._study = open_study(storage, name, plan.space.search.objective)
        self._id = storage.get_study_id_from_name(self._study.study_name)

    @classmethod
    def find(cls, plan: SweepPlan, storage: BaseStorage) -> ConfirmationStudy | None:
        """Return the study of a sweep if it has one."""
        try:
            storage.get_study_id_from_name(confirmation_study_name(plan.study_name))
        except KeyError:
            return None
        return cls(plan, storage)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, by index."""
        return tuple(
            Run(Hyperparameters.model_validate(each["params"]), each["seed"], each["role"], each["confirms"])
            for each in self._study.user_attrs.get(_RUNS, ())
        )

    def add(self, runs: Iterable[Run]) -> None:
        """Add runs, except those of a config and a seed that are there already."""
        present = list(self.runs)
        known = {(run.params.effect, run.seed) for run in present}
        for run in runs:
            if (run.params.effect, run.seed) not in known:
                known.add((run.params.effect, run.seed))
                present.append(run)
        stored = [
            {
                "params": run.params.model_dump(mode="json", exclude_defaults=True),
                "seed": run.seed,
                "role": run.role,
                "confirms": run.confirms,
            }
            for run in present
        ]
        self._study.set_user_attr(_RUNS, stored)

    def reconcile(self) -> int:
        """See `SweepStudy.reconcile`."""
        for trial in self._tries().values():
            if trial.state is TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
        tries = self._tries().values()
        self.retry(each.number for each in tries if each.user_attrs.get(FAILURE) in ENVIRONMENT_FAILURES)
        return sum(is_lost(trial, self._retried()) for trial in self._tries().values())

    def next_trial(self) -> SampledTrial | None:
        """Begin the next run and return it; None if there is no more."""
        tries, retried = self._tries(), self._retried()
        for index, run in enumerate(self.runs):
            if index not in tries or is_lost(tries[index], retried):
                return self._begin(index, run)
        return None

    def record_complete(
        self, sampled: SampledTrial, measured: Measurements, facts: Mapping[str, Any]
    ) -> None:
        """Record a complete run. Its value is that of its last pass, so that nothing is chosen."""
        self._record(sampled, TrialState.COMPLETE, {CHAIN: list(measured.chain), **facts})

    def record_pruned(
        self,
        sampled: SampledTrial,
        measured: Measurements,
        reason: str,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that a callback stopped a run."""
        attributes = {CHAIN: list(measured.chain), REASON: reason, **(facts or {})}
        self._record(sampled, TrialState.PRUNED, attributes)

    def record_failure(
        self,
        sampled: SampledTrial,
        reason: str,
        failure: FailureClass,
        spent: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Record a failed run."""
        self._record(sampled, TrialState.FAIL, {REASON: reason, FAILURE: failure, **spent})

    def retry(self, numbers: Iterable[int]) -> None:
        """See `SweepStudy.retry`."""
        more = set(numbers)
        if more - self._retried():
            self._study.set_user_attr(RETRIED, sorted(self._retried() | more))

    def names_of(self, numbers: Collection[int]) -> frozenset[str]:
        """Return the names of the runs with these Optuna numbers."""
        tries = self._tries().items()
        return frozenset(trial_name(index, confirms=True) for index, each in tries if each.number in numbers)

    def num_finished(self) -> int:
        """Return the number of runs that are complete or failed."""
        retried = self._retried()
        return sum(
            trial.state.is_finished() and not is_lost(trial, retried) for trial in self._tries().values()
        )

    def trials(self) -> StudyTrials:
        """Return the runs, with what each ended one measured."""
        return study_trials(self._plan.space, self._trials(), self._retried())

    def _begin(self, index: int, run: Run) -> SampledTrial:
        space, name = self._plan.space, trial_name(index, confirms=True)
        begun = begun_attributes(name, index, run.params, source=run.source, seed=run.seed)
        trial = create_trial(
            state=TrialState.RUNNING,
            params=parameters(space, run.params),
            distributions=parameter_distributions(space, run.params),
            user_attrs={**begun, ROLE: run.role, CONFIRMS: run.confirms},
        )
        trial_id = self._storage.create_new_trial(self._id, template_trial=trial)
        config = space.config(run.params, seed=run.seed)
        return SampledTrial(
            optuna.Trial(self._study, trial_id), index, run.source, config, run.role, run.confirms
        )

    def _record(self, sampled: SampledTrial, state: TrialState, attributes: Mapping[str, Any]) -> None:
        with written_at_once(self._storage):
            for name, attribute in attributes.items():
                sampled.trial.set_user_attr(name, attribute)
            value = attributes[CHAIN][-1] if state is TrialState.COMPLETE else None
            self._study.tell(sampled.trial, value, state)

    def _tries(self) -> dict[int, FrozenTrial]:
        """Return the latest try of every run, by its index."""
        return {trial.user_attrs[INDEX]: trial for trial in self._trials()}

    def _trials(self) -> Sequence[FrozenTrial]:
        return sorted(self._study.get_trials(deepcopy=False), key=lambda trial: trial.number)

    def _retried(self) -> frozenset[int]:
        return frozenset(self._study.user_attrs.get(RETRIED, ()))
