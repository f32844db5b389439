"""Recognition of copied sweeps that share a study in a database: only one of them continues it.

Each driver leaves a new mark in the study and in its sweep's folder. A copy of the folder keeps an old mark
after the other one has been continued, so that it is refused. A moved folder takes its mark along.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from optuna.storages import BaseStorage

from autohier.errors import InputError
from autohier.files import open_regular, write_atomically
from autohier.sweep.study.attributes import MARK

_MAX_BYTES = 200


def claim_study(storage: BaseStorage, study_name: str, mark_file: Path) -> None:
    """Continue a study as the sweep that it belongs to.

    Args:
        storage: database that may hold studies of copies of this sweep.
        study_name: name of the study, which exists.
        mark_file: file in the sweep's folder. A folder without it takes the study over.

    Raises:
        InputError: if another copy of the sweep has continued the study since this one did.
    """
    study_id = storage.get_study_id_from_name(study_name)
    last = storage.get_study_user_attrs(study_id).get(MARK)
    own = _read_marks(mark_file)
    if last is not None and own and last not in own:
        raise InputError(
            f"a study must belong to one sweep, but a copy of {mark_file.parent} has continued that of both",
            hint="resume that copy, or start a new sweep with --warm-from; if the copy is gone, delete "
            f"{mark_file} and resume this one",
        )
    mark = secrets.token_hex(16)
    # The folder first, with the mark that the study still has, so that a driver may die at any moment.
    write_atomically(mark_file, f"{mark}\n{last or ''}\n".encode())
    storage.set_study_user_attr(study_id, MARK, mark)


def _read_marks(path: Path) -> list[str]:
    """Return the marks in a file; none if it does not exist."""
    try:
        with open_regular(path) as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace").split()
    except FileNotFoundError:
        return []
