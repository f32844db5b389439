"""One driver per sweep: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autohier.errors import SweepBusyError


@contextmanager
def hold_sweep(lock_file: Path) -> Iterator[None]:
    """Hold a sweep while the block runs.

    Raises:
        SweepBusyError: where another driver holds it; names its host and process.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise SweepBusyError(
                "a sweep has one driver at a time",
                got=f"one that {file.read().strip() or 'is starting'} holds",
                remedy="wait for it or stop it, then resume",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def driver_of(lock_file: Path) -> str | None:
    """Who drives the sweep now, e.g. "process 17 on node3"; None where nobody does."""
    try:
        file = lock_file.open("r")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "a driver that is starting"
    return None
