"""One driver per sweep: a lock that the operating system releases when its holder dies.

On a file system without such locks, a lock file with a grace time takes their place; see `file_lock`.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from autohier.errors import SweepBusyError
from autohier.files import open_regular, write_atomically
from autohier.sweep.locking.file_lock import GRACE_S, HeldError, file_holder, hold_file

if sys.platform != "win32":
    import fcntl

_TIMEOUT_S = 0.2
"""Longer than `driver_of` holds the lock to see whether it is free."""
_STARTING = "a driver that is starting"
_NO_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})


def holder_file(lock_file: Path) -> Path:
    """Return the file that names the lock's holder; Windows cannot read a locked file."""
    return lock_file.with_suffix(".txt")


@contextmanager
def hold_sweep(lock_file: Path, on_lost: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a sweep while the block runs.

    Args:
        lock_file: of the sweep.
        on_lost: see `hold_file`; called only on a file system without locks.

    Raises:
        SweepBusyError: if another driver holds it; names its host and process.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(lock_file)
    try:
        lock.acquire(timeout=_TIMEOUT_S)
    except Timeout as error:
        raise _busy(_read_holder(lock_file)) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        with _holding_file(lock_file, on_lost):
            yield
        return
    try:
        # A driver on a machine that mounts the same folder without locks holds a lock file.
        if holder := file_holder(lock_file):
            raise _busy(holder)
        with _named_holder(lock_file):
            yield
    finally:
        lock.release()


def driver_of(lock_file: Path) -> str | None:
    """Return the driver of a running sweep, e.g. "process 17 on node3"; None if the sweep is not running.

    Neither writes into the folder nor waits for the lock.
    """
    if not lock_file.exists():
        return None
    try:
        is_held = _is_locked(lock_file)
    except PermissionError:  # another user's sweep: the lock cannot be tried
        return f"{_read_holder(lock_file)}, if it is still alive"
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        is_held = False
    return _read_holder(lock_file) if is_held else file_holder(lock_file)


def dead_driver(lock_file: Path) -> str | None:
    """Return the driver that ended without releasing the lock, e.g. as it was killed; None if there is none.

    Call it only if `driver_of` finds no driver.
    """
    return _read_holder(lock_file) if holder_file(lock_file).is_file() else None


@contextmanager
def _named_holder(lock_file: Path) -> Iterator[None]:
    """Name this process as the holder while the block runs; the name of a killed holder stays."""
    _write_holder(lock_file)
    try:
        yield
    finally:
        with suppress(OSError):
            holder_file(lock_file).unlink()


@contextmanager
def _holding_file(lock_file: Path, on_lost: Callable[[], None]) -> Iterator[None]:
    try:
        with hold_file(lock_file, on_lost), _named_holder(lock_file):
            yield
    except HeldError as error:
        raise _busy(f"{error}, or one that died less than {GRACE_S:.0f} s ago") from error


def _is_locked(lock_file: Path) -> bool:
    if sys.platform == "win32":
        try:
            with _lock(lock_file).acquire(timeout=_TIMEOUT_S):
                return False
        except Timeout:
            return True
    # A shared lock of a file that is only read: for a reader of another user's sweep, too.
    descriptor = os.open(lock_file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(lock_file: Path) -> FileLock:
    # Never a soft lock, which would outlive a killed holder.
    return FileLock(lock_file, poll_interval=0.02, fallback_to_soft=False)


def _busy(holder: str) -> SweepBusyError:
    return SweepBusyError(
        "a sweep has one driver at a time",
        got=f"one held by {holder}",
        hint="wait for it or stop it, then resume",
    )


def _write_holder(lock_file: Path) -> None:
    # Replaced whole: a pipe in its place would wait for a reader. Its absence changes nothing but messages.
    with suppress(OSError):
        content = f"process {os.getpid()} on {socket.gethostname()}".encode()
        write_atomically(holder_file(lock_file), content, lasting=False)


def _read_holder(lock_file: Path) -> str:
    try:
        with open_regular(holder_file(lock_file)) as file:
            return file.read().decode(errors="replace").strip() or _STARTING
    except OSError:
        return _STARTING
