"""Ended trials: what a study knows of each trial of its sweep that is complete, stopped or failed.

The records of a sweep are checked against it and rebuilt from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.trial_config import TrialConfig
from autohier.errors import FailureClass
from autohier.sweep.study.attributes import (
    CHAIN,
    CONFIRMS,
    FAILURE,
    INDEX,
    REASON,
    RETRIED,
    ROLE,
    SEARCH,
    SEED,
    SOURCE,
    check_study_format,
    facts_of,
    is_lost,
)
from autohier.sweep.study.parameters import params_of
from autohier.sweep.study.storages.storage import open_storage

_STATES: Mapping[TrialState, Literal["COMPLETE", "PRUNED", "FAIL"]] = {
    TrialState.COMPLETE: "COMPLETE",
    TrialState.PRUNED: "PRUNED",
    TrialState.FAIL: "FAIL",
}


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """One trial that is complete, stopped or failed, as the study recorded it."""

    name: str
    index: int | None
    """Index in the sweep; None for a confirmation."""
    number: int | None
    """Number in the study; None for a confirmation."""
    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    config: TrialConfig
    source: str
    chain: tuple[float, ...]
    """Values of the objective after pass 2 and after each pruning pass."""
    rungs: Mapping[int, float]
    """Values of the objective at the rungs within pass 2 that it reached, by epoch."""
    value: float | None
    """Best value of the chain; None unless the trial is complete."""
    stage_keys: tuple[str, ...]
    """Keys in the stage store, in order, for each stage one per fold; empty if the study has none."""
    facts: Mapping[str, Any]
    """Facts of a complete trial, such as its kept pass."""
    reason: str | None
    failure: FailureClass | None
    started_at: datetime
    ended_at: datetime
    role: str = SEARCH
    confirms: str = ""


@dataclass(frozen=True, slots=True)
class StudyTrials:
    """The trials of a sweep, as its study has them."""

    ended: tuple[EndedTrial, ...]
    """Ended trials by index, without those that will run again."""
    names: frozenset[str]
    """Names of all trials that were sampled."""

    def __add__(self, other: StudyTrials) -> StudyTrials:
        """Return the trials of two studies."""
        return StudyTrials(self.ended + other.ended, self.names | other.names)


def trial_name(index: int, *, confirms: bool = False) -> str:
    """Return the name of the trial with an index, e.g. "t0007"; of one that confirms another, "c0007"."""
    return f"{'c' if confirms else 't'}{index:04d}"


def confirmation_study_name(study_name: str) -> str:
    """Return the name of the study that confirms the trials of another, in the same storage."""
    return f"{study_name} confirmation"


def read_study_trials(plan: SweepPlan, journal_file: Path) -> StudyTrials | None:
    """Read the trials of a sweep from its own journal, without changing it.

    Returns:
        None if the study is in a database, or has no journal yet.

    Raises:
        InputError: if the journal is damaged, or another version of autohier wrote the study.
    """
    if plan.storage is not None or not journal_file.is_file():
        return None
    storage = open_storage(None, journal_file, repair=False)
    search = _stored_trials(plan.space, storage, plan.study_name)
    confirmation = _stored_trials(plan.space, storage, confirmation_study_name(plan.study_name))
    return search + confirmation if search and confirmation else search


def _stored_trials(space: SearchSpace, storage: BaseStorage, study_name: str) -> StudyTrials | None:
    try:
        study_id = storage.get_study_id_from_name(study_name)
    except KeyError:
        return None
    check_study_format(storage, study_id)
    retried = storage.get_study_user_attrs(study_id).get(RETRIED, ())
    return study_trials(space, storage.get_all_trials(study_id, deepcopy=False), retried)


def study_trials(
    space: SearchSpace, trials: Iterable[FrozenTrial], retried: Collection[int] = ()
) -> StudyTrials:
    """Return the trials of a sweep from the trials of its study.

    Args:
        space: search space of the sweep.
        trials: all trials of the study.
        retried: Optuna numbers of failed trials that will run again.
    """
    latest: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if INDEX in trial.user_attrs:
            latest[trial.user_attrs[INDEX]] = trial
    ended = (
        _ended(space, index, trial)
        for index, trial in sorted(latest.items())
        if trial.state in _STATES and not is_lost(trial, retried)
    )
    names = (trial_name(index, confirms=ROLE in trial.user_attrs) for index, trial in sorted(latest.items()))
    return StudyTrials(tuple(ended), frozenset(names))


def _ended(space: SearchSpace, index: int, trial: FrozenTrial) -> EndedTrial:
    attributes = trial.user_attrs
    facts, confirms = facts_of(trial), ROLE in attributes
    return EndedTrial(
        name=trial_name(index, confirms=confirms),
        index=None if confirms else index,
        number=None if confirms else trial.number,
        state=_STATES[trial.state],
        config=space.config(params_of(space, trial), seed=attributes[SEED]),
        source=attributes[SOURCE],
        chain=tuple(attributes.get(CHAIN, ())),
        rungs={
            epoch: value
            for epoch, value in sorted(trial.intermediate_values.items())
            if epoch < space.pass_2.epochs
        },
        value=trial.values[0] if trial.state is TrialState.COMPLETE else None,
        stage_keys=tuple(facts.get("stages", ())),
        facts=facts,
        reason=attributes.get(REASON),
        failure=attributes.get(FAILURE),
        started_at=_utc(trial.datetime_start),
        ended_at=_utc(trial.datetime_complete),
        role=attributes.get(ROLE, SEARCH),
        confirms=attributes.get(CONFIRMS, ""),
    )


def _utc(local: datetime | None) -> datetime:
    # Optuna records local times without a zone.
    return datetime.fromtimestamp(0, UTC) if local is None else local.astimezone(UTC)
