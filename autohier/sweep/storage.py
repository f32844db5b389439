"""Where the study lies: in the sweep's own journal file, or at a storage URL."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from autohier.errors import InputError

_LOG = logging.getLogger(__name__)


def open_storage(url: str | None, journal_file: Path, *, mend: bool = True) -> BaseStorage:
    """Open a study's storage.

    Args:
        url: Optuna storage URL; None takes the journal file, which is made where it is not there.
        journal_file: of the sweep.
        mend: cuts off a last line that a dying driver did not write to its end; for who holds the sweep.

    Raises:
        InputError: where the URL cannot be opened.
    """
    if url is None:
        journal_file.parent.mkdir(parents=True, exist_ok=True)
        if mend:
            _mend(journal_file)
        return JournalStorage(JournalFileBackend(str(journal_file)))
    try:
        return RDBStorage(url)
    except Exception as error:  # every database driver raises errors of its own
        _LOG.debug("opening the study failed", exc_info=True)
        raise InputError(
            "--storage must be an Optuna storage URL that can be opened",
            got=f"{type(error).__name__}: {error}",
            remedy="write e.g. sqlite:///study.db or postgresql://host/name, and install its driver",
        ) from error


def _mend(journal_file: Path) -> None:
    """Cut off a last line that was not written to its end; a line behind it would make both unreadable."""
    if not journal_file.is_file():
        return
    content = journal_file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    if last and not _is_json(last):
        whole = whole[: len(whole) - len(last) - 1]
    if len(whole) < len(content):
        _LOG.warning(
            "the last line of %s was cut short and is left out: what it told is asked again", journal_file
        )
        with journal_file.open("r+b") as file:
            file.truncate(len(whole))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
