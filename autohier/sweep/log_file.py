"""The log of a sweep: warnings and failures of its driver and of the processes that work for it."""

from __future__ import annotations

import logging
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autohier.errors import InputError
from autohier.text import EscapingFormatter, shown


class _LogFile(logging.FileHandler):
    """A log that says in one line that it cannot be written. Python would print a traceback each time."""

    _has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; the file is opened with the first one, and may fail to."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        if not self._has_failed and sys.stderr is not None:
            self._has_failed = True
            sys.stderr.write(f"autohier: cannot write {shown(self.baseFilename)}: {sys.exception()}\n")


def check_log_file(path: Path) -> None:
    """Check that a log can be written to a path.

    Raises:
        InputError: see `logging_to`.
    """
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError("the log of a sweep must be writable", got=error, hint="remove it") from error
    if not is_file:
        raise InputError(f"the log of a sweep must be a file, but {path} is none", hint="remove it")


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append autohier's warnings and failures to a file while the block runs; processes may share it.

    Raises:
        InputError: if something else is in the place of the file, e.g. a pipe without a reader.
    """
    check_log_file(path)
    handler = _LogFile(path, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("autohier")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
