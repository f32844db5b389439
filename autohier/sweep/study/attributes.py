"""User attributes of a study and of its trials, apart from their parameters and values.

A trial of the study is a *try*, i.e. one attempt at a trial of the sweep, or the result of a trial of another
sweep (warm start).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.errors import InputError

NAME, CONFIG = "trial", "config"
"""User attributes of a try, for people: the name of its trial, and its hyperparameters in one line."""
INDEX, SEED, SOURCE, CHAIN, FAILURE = "trial_index", "seed", "source", "chain", "failure"
"""User attributes of a try: its trial index, its seed, the source of its config, the accuracies of its
passes, and the class of its failure, which is set only if the trial itself failed."""
COSTS = "chain_multiply_adds"
"""Fact of an ended try: the multiply-adds of its passes."""
RUNG_COSTS = "rung_multiply_adds"
"""User attribute of an ended try, if the search minimizes multiply-adds: those at its rungs, in order."""
CODE = "code"
"""User attribute of a trial whose config the sampler can sample: what `search_space.encode` makes of it."""
REASON = "reason"
"""User attribute of an ended try: why it was stopped or failed."""
SEARCH = "search"
ROLE, CONFIRMS = "role", "confirms"
"""User attributes of a try that confirms another trial: its role (else `SEARCH`) and that trial's name."""
WARM_FROM = "warm_from"
"""User attribute of a result of another sweep: the sweep and the trial's number there."""
_OWN: Final = frozenset(
    (
        *(NAME, CONFIG, INDEX, SEED, SOURCE, CHAIN, FAILURE),
        *(RUNG_COSTS, CODE, REASON, ROLE, CONFIRMS, WARM_FROM),
    )
)

BOUND = "max_multiply_adds"
"""Constraint of a complete try: the share by which it exceeds the bound on multiply-adds, if there is one."""
RETRIED = "retried"
"""User attribute of the study: Optuna numbers of failed trials that are to be run again."""
MARK = "mark"
"""User attribute of the study: mark of its last driver."""
FORMAT = "format"
"""User attribute of the study: its format."""
STUDY_FORMAT: Final = 2
"""Format of a study. Before 2, trials held codes in place of hyperparameters, and derived observations."""


def begun_attributes(
    name: str, index: int, params: Hyperparameters, *, source: str, seed: int
) -> dict[str, Any]:
    """Return the user attributes of a try, set when it starts."""
    return {NAME: name, CONFIG: params.settings_text, INDEX: index, SOURCE: source, SEED: seed}


def facts_of(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return the facts of an ended try, such as its kept pass: all attributes that are not named here."""
    return {name: value for name, value in trial.user_attrs.items() if name not in _OWN}


def is_lost(trial: FrozenTrial, retried: Container[int]) -> bool:
    """Return True if a try ended without a result of its own, or its trial is to run again."""
    if trial.state is not TrialState.FAIL:
        return False
    return FAILURE not in trial.user_attrs or trial.number in retried


def check_study_format(storage: BaseStorage, study_id: int) -> None:
    """Check that a study has the format that this version of autohier writes; a new one may have none.

    Raises:
        InputError: if another version of autohier wrote the study.
    """
    found = storage.get_study_user_attrs(study_id).get(FORMAT)
    if found == STUDY_FORMAT:
        return
    if found is not None or storage.get_n_trials(study_id):
        raise InputError(
            f"study {storage.get_study_name_from_id(study_id)!r} must have format {STUDY_FORMAT}",
            got=found or 1,
            hint="use the autohier version that wrote it, or start a new sweep, which reuses the stages in "
            "the store",
        )
