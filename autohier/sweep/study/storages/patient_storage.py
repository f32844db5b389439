"""A study's database that may go away for minutes: calls are repeated until it answers, and change it once.

A lost connection leaves open whether a change reached the database. Most changes may be repeated: they set a
value. Two may not. A new trial carries a token, so that a repetition finds it instead of adding another one.
The end of a trial that is there already counts as written.
"""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy.exc as sqlalchemy_errors
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.orm import Session

from autohier.sweep.study.storages.fault_text import fault_text
from autohier.text import duration_text

T = TypeVar("T")

PATIENCE_S = 600.0
"""Time in which a database may restart or move to another machine."""
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses between repetitions; the last one repeats."""
_POLL_S = 0.1
_TOKEN = "autohier:token"  # noqa: S105  a name
_LOST = (sqlalchemy_errors.OperationalError, sqlalchemy_errors.InterfaceError)


class StorageLostError(OSError):
    """The study's database does not answer: nothing can be read or recorded."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Patience of a driver with its database.

    Args:
        say: prints a line when the database goes away, and when it is back.
        is_over: returns True if the sweep should end; then nothing is repeated.
        limit_s: time after which the database counts as lost.
    """

    say: Callable[[str], None] = lambda _: None
    is_over: Callable[[], bool] = lambda: False
    limit_s: float = PATIENCE_S


class PatientStorage(RDBStorage):
    """Optuna's database storage, whose calls wait for a database that went away.

    Args:
        url: of the database.
        patience: of the driver.

    Raises:
        StorageLostError: from every method, if the database stays away or the sweep should end.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        self._patience = patience
        self._is_waiting = False
        super().__init__(url, engine_kwargs={"pool_pre_ping": True})

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """See `RDBStorage`; a repetition of a change that reached the database succeeds."""
        tries = 0

        def change() -> bool:
            nonlocal tries
            tries += 1
            try:
                return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if tries == 1 or self.get_trial(trial_id).state is not state:
                    raise
                return True

        return self._repeat(change)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        trial = copy.deepcopy(template_trial or create_trial(state=TrialState.RUNNING))
        trial.system_attrs = {**trial.system_attrs, _TOKEN: uuid.uuid4().hex}
        return self._repeat(lambda: super(PatientStorage, self)._create_new_trial(study_id, trial))

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """Return the trial with the template's token, or add it. Idempotent, since Optuna also retries it."""
        if template_trial is not None and _TOKEN in template_trial.system_attrs:
            attribute = models.TrialSystemAttributeModel
            found = (
                session.query(models.TrialModel)
                .join(attribute, attribute.trial_id == models.TrialModel.trial_id)
                .filter(models.TrialModel.study_id == study_id)
                .filter(attribute.key == _TOKEN)
                .filter(attribute.value_json == f'"{template_trial.system_attrs[_TOKEN]}"')
                .one_or_none()
            )
            if found is not None:
                return found
        return super()._get_prepared_new_trial(study_id, template_trial, session)

    def _repeat(self, call: Callable[[], T]) -> T:
        """Call a function again until the database answers."""
        if self._is_waiting:  # a call within another one, which repeats both
            return call()
        started, repetition = time.monotonic(), 0
        self._is_waiting = True
        try:
            while True:
                try:
                    result = call()
                except (StorageInternalError, *_LOST) as error:
                    cause = _lost_connection(error)
                    if cause is None:
                        raise
                    if not repetition:
                        self._patience.say(
                            "WARNING: the study's database does not answer; trying again for "
                            f"{duration_text(self._patience.limit_s)}: {fault_text(cause)}"
                        )
                    self._pause(_PAUSES_S[min(repetition, len(_PAUSES_S) - 1)], started, cause)
                    repetition += 1
                else:
                    if repetition:
                        away = duration_text(time.monotonic() - started)
                        self._patience.say(f"the study's database answers again, after {away}")
                    return result
        finally:
            self._is_waiting = False

    def _pause(self, pause_s: float, started: float, cause: Exception) -> None:
        ends_at = time.monotonic() + pause_s
        while time.monotonic() < ends_at:
            if self._patience.is_over() or time.monotonic() - started > self._patience.limit_s:
                fault = fault_text(cause)
                raise StorageLostError(f"the study's database does not answer: {fault}") from cause
            time.sleep(_POLL_S)


def _repeated(name: str) -> Callable[..., Any]:
    """Return a method of `RDBStorage` that repeats its calls."""
    method = getattr(RDBStorage, name)

    def call(self: PatientStorage, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  of any method
        return self._repeat(lambda: method(self, *arguments, **named))

    return call


for _name in (
    *("create_new_study", "set_study_user_attr", "set_study_system_attr", "get_study_id_from_name"),
    *("get_study_name_from_id", "get_study_directions", "get_study_user_attrs", "get_study_system_attrs"),
    *("get_all_studies", "set_trial_param", "set_trial_intermediate_value", "set_trial_user_attr"),
    *("set_trial_system_attr", "get_trial_id_from_study_id_trial_number", "get_trial", "get_all_trials"),
    "_get_trials",
):
    setattr(PatientStorage, _name, _repeated(_name))


def _lost_connection(error: Exception) -> Exception | None:
    """Return the database driver's error if a connection was lost or refused; else None."""
    cause = error if isinstance(error, _LOST) else error.__cause__
    return cause if isinstance(cause, _LOST) else None
