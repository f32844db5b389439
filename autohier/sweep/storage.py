"""Where the study lies: in the sweep's own journal file, or at a storage URL."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

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
        return _Journal(journal_file)
    try:
        return RDBStorage(url)
    except Exception as error:  # every database driver raises errors of its own
        _LOG.debug("opening the study failed", exc_info=True)
        raise InputError(
            "--storage must be an Optuna storage URL that can be opened",
            got=f"{type(error).__name__}: {error}",
            remedy="write e.g. sqlite:///study.db or postgresql://host/name, and install its driver",
        ) from error


def written_at_once(storage: BaseStorage) -> AbstractContextManager[None]:
    """Have what a block tells a journal written in one piece when it ends, well or not.

    Every write waits for the disk, which takes longer than all the rest of a tell. A database writes each by
    itself.
    """
    return storage.file.written_at_once() if isinstance(storage, _Journal) else nullcontext()


class _Journal(JournalStorage):
    def __init__(self, path: Path) -> None:
        self.file = _JournalFile(str(path))
        super().__init__(self.file)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id: int = super().create_new_trial(study_id, template_trial)
        if template_trial is not None:
            # What was read back has its own copy of them, a quarter of what a trial takes in memory.
            self.get_trial(trial_id).distributions = template_trial.distributions
        return trial_id


class _JournalFile(JournalFileBackend):
    """The file of a journal, which one process writes at a time."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._path = Path(path)
        self._held: list[dict[str, Any]] | None = None
        """What is told and not yet written, as it will be read."""
        self._num_written: int | None = None
        """Where the first of them will stand."""

    @contextmanager
    def written_at_once(self) -> Iterator[None]:
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            written, self._num_written = self._num_written, None
            if held:
                self._append(held)
                for _ in super().read_logs(written or 0):
                    pass  # so that the next read knows where these end, and need not begin with the file

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._held is None:
            self._append(logs)
        else:
            self._held += json.loads(json.dumps(logs))

    def _append(self, logs: list[dict[str, Any]]) -> None:
        """Write lines; where the disk takes but a part of them, none: a line behind a part is unreadable."""
        size_bytes = self._path.stat().st_size
        try:
            super().append_logs(logs)
        except OSError:
            os.truncate(self._path, size_bytes)
            raise

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        if self._held is None:
            yield from super().read_logs(log_number_from)
            return
        if self._num_written is None:
            self._num_written = log_number_from  # a journal has read all that is written
        yield from self._held[log_number_from - self._num_written :]


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
