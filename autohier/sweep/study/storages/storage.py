"""Storage of a study: the sweep's own journal file, or an Optuna storage URL."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from autohier.config.storage_url import HOW_TO_PASS, with_password, without_password
from autohier.config.trial.trial_config import Objective, SecondObjective
from autohier.errors import InputError
from autohier.files import naming_file
from autohier.sweep.study.attributes import FORMAT, STUDY_FORMAT, check_study_format
from autohier.sweep.study.storages.fault_text import fault_text
from autohier.sweep.study.storages.journal import JournalFile, repair_last_line
from autohier.sweep.study.storages.patient_storage import Patience, PatientStorage, StorageLostError

_SQLITE = "sqlite:"
_LOG = logging.getLogger(__name__)
_METRICS: dict[Objective | SecondObjective, str] = {
    "accuracy": "validation accuracy",
    "mean-class": "validation mean class accuracy",
    "multiply-adds": "multiply-adds",
}
"""Names of objectives in optuna-dashboard."""


def open_storage(
    url: str | None, journal_file: Path, *, repair: bool = True, patience: Patience | None = None
) -> BaseStorage:
    """Open a study's storage.

    Args:
        url: Optuna storage URL; None takes the journal file, which is created if it does not exist.
        journal_file: of the sweep.
        repair: cut off a last line that a dying driver did not finish. Only the sweep's driver may do so.
        patience: with a database that goes away later; SQLite has no server that could.

    Raises:
        InputError: if the URL cannot be opened, or a line of the journal is damaged.
    """
    if url is None:
        journal_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with naming_file(journal_file):
                if repair:
                    repair_last_line(journal_file)
                file = JournalFile(journal_file)
                return _JournalStorage(file)
        except (InputError, OSError):
            raise
        except Exception as error:  # Optuna raises almost anything on a change that it cannot replay
            raise file.damage(error) from error
    try:
        full = with_password(url)
        return RDBStorage(full) if full.startswith(_SQLITE) else PatientStorage(full, patience or Patience())
    except InputError:
        raise
    except Exception as error:  # every database driver raises errors of its own
        _LOG.debug("opening the study failed", exc_info=True)
        raise InputError(
            "--storage must be an Optuna storage URL that can be opened",
            got=f"{without_password(url)}: {fault_text(error)}",
            hint="write e.g. sqlite:///study.db or postgresql://user@host/name, and install its driver; "
            f"for a password, {HOW_TO_PASS}",
        ) from error


def open_study(
    storage: BaseStorage, name: str, objective: Objective, second: SecondObjective | None = None
) -> optuna.Study:
    """Open a study, or create it with the names of its objectives and the format of its trials.

    Args:
        storage: of the study.
        name: of the study.
        objective: maximized.
        second: minimized; None opens a study of one objective.

    Raises:
        InputError: if another version of autohier wrote the study, or it has other objectives.
    """
    objectives = [_METRICS[each] for each in (objective, second) if each is not None]
    # Trials are added whole, so that a driver may die at any moment; the study's own sampler is not used.
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=[StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: len(objectives)],
        sampler=RandomSampler(seed=0),
        load_if_exists=True,
    )
    check_study_format(storage, storage.get_study_id_from_name(name))
    if FORMAT not in study.user_attrs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(objectives)
        study.set_user_attr(FORMAT, STUDY_FORMAT)
    elif len(study.directions) != len(objectives):
        raise InputError(
            f"the study {name!r} must have the objectives that it started with",
            got=f"{len(objectives)}: {' and '.join(objectives)}, not {len(study.directions)}",
            hint="restore search.second_objective in its sweep.json, or start a new sweep",
        )
    return study


def in_memory_storage() -> BaseStorage:
    """Return a storage that ends with the process, for simulated sweeps."""
    return InMemoryStorage()


@contextmanager
def storage_failures(*, hint: str) -> Iterator[None]:
    """Turn failures of the study's database inside a block into an error for the user.

    Raises:
        InputError: if the database stops answering.
    """
    try:
        yield
    except (StorageInternalError, StorageLostError, SQLAlchemyError) as error:
        raise InputError("the study's database must answer", got=fault_text(error), hint=hint) from error


def written_at_once(storage: BaseStorage) -> AbstractContextManager[None]:
    """Write all changes that a block makes to a journal in one piece when the block ends, or fails.

    Each write waits for the disk, which takes longer than everything else in recording a trial. A database
    writes each change by itself.
    """
    return storage.file.written_at_once() if isinstance(storage, _JournalStorage) else nullcontext()


class _JournalStorage(JournalStorage):
    """Optuna's journal storage, with access to its file."""

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        super().__init__(file)
