"""A lock made of a file, for file systems without locks of their own, e.g. Lustre mounted without ``flock``.

Each holder creates ``driver.lock.N`` with the next number N, which only one process can do. The highest
number holds the lock. The holder touches its file all the time. A file that was not touched for `GRACE_S`
seconds belongs to a dead holder, and the next one may take the next number. Numbers are not used again, so
that a process that judges by an old listing cannot take a lock away. Ages are measured on the clock of the
file server.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autohier.files import open_regular

_LOG = logging.getLogger(__name__)

GRACE_S = 60.0
"""Time after which a lock file that is not touched is free."""
_TOUCH_S = GRACE_S / 6
_NUMBER = re.compile(r"[0-9]{1,9}")
_RELEASED = 0.0
"""Modification time of a released lock file."""


class HeldError(Exception):
    """Another live process holds the lock; the text names it."""


@contextmanager
def hold_file(lock_file: Path, on_lost: Callable[[], None]) -> Iterator[None]:
    """Hold a lock made of files next to ``lock_file`` while the block runs.

    Args:
        lock_file: path that the names of the files begin with.
        on_lost: called in a thread if another process took the lock, as this one did not touch it for too
            long, e.g. because it was stopped.

    Raises:
        HeldError: if another process holds the lock.
        OSError: if the folder cannot be written.
    """
    last, holder = _last_holder(lock_file)
    if holder is not None:
        raise HeldError(holder)
    # The number after the one that was found free: another that starts now has created it, or a higher one.
    own = _path(lock_file, last + 1)
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError as error:
        raise HeldError("a driver that is starting") from error
    content = {"host": socket.gethostname(), "processes": _process_space(), "process": os.getpid()}
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
    except OSError:
        os.utime(own, (_RELEASED, _RELEASED))
        raise
    if not _is_highest(lock_file, own):
        own.unlink(missing_ok=True)
        raise HeldError("a driver that is starting")
    for number in _numbers(lock_file):
        if number < _number(own):
            _path(lock_file, number).unlink(missing_ok=True)
    ended = threading.Event()
    toucher = threading.Thread(target=_keep, args=(lock_file, own, ended, on_lost), daemon=True)
    toucher.start()
    try:
        yield
    finally:
        ended.set()
        toucher.join()
        if _is_highest(lock_file, own):
            with suppress(OSError):
                os.utime(own, (_RELEASED, _RELEASED))


def file_holder(lock_file: Path) -> str | None:
    """Return the process that holds a lock made of files, e.g. "process 17 on node3"; None if it is free."""
    return _last_holder(lock_file)[1]


def _last_holder(lock_file: Path) -> tuple[int, str | None]:
    """Return the highest number of a lock file, 0 without any, and the process that holds it."""
    number = max(_numbers(lock_file), default=0)
    return number, _holder(lock_file, number) if number else None


def _holder(lock_file: Path, number: int) -> str | None:
    path = _path(lock_file, number)
    try:
        touched = path.stat().st_mtime
    except FileNotFoundError:
        return None
    content = _read(path)
    host, process = content.get("host"), content.get("process")
    if touched == _RELEASED or _server_time(lock_file.parent) - touched > GRACE_S:
        return None
    is_near = content.get("processes") == _process_space()
    if is_near and isinstance(process, int) and not _is_alive(process):
        return None
    return f"process {process} on {host}" if host else "a driver that is starting"


def lock_files(lock_file: Path) -> list[Path]:
    """Return the files that locks next to ``lock_file`` have left."""
    return [_path(lock_file, number) for number in _numbers(lock_file)]


def _keep(lock_file: Path, own: Path, ended: threading.Event, on_lost: Callable[[], None]) -> None:
    while not ended.wait(_TOUCH_S):
        if not _is_highest(lock_file, own):
            _LOG.error("another driver took the lock of this sweep, as this one stood still for too long")
            on_lost()
            return
        with suppress(OSError):  # e.g. a file server that restarts
            os.utime(own)


def _is_highest(lock_file: Path, own: Path) -> bool:
    return max(_numbers(lock_file), default=0) == _number(own)


def _numbers(lock_file: Path) -> list[int]:
    prefix = f"{lock_file.name}."
    names = [path.name for path in lock_file.parent.iterdir()] if lock_file.parent.is_dir() else []
    suffixes = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return [int(suffix) for suffix in suffixes if _NUMBER.fullmatch(suffix)]


def _number(path: Path) -> int:
    return int(path.name.rpartition(".")[2])


def _path(lock_file: Path, number: int) -> Path:
    return lock_file.with_name(f"{lock_file.name}.{number}")


def _read(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            content = json.loads(file.read())
    except (OSError, ValueError):
        return {}  # its holder is writing it
    return content if isinstance(content, dict) else {}


def _server_time(folder: Path) -> float:
    """Return the time of the clock that sets the modification times in a folder."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    try:
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
    except OSError:  # a reader that may not write
        return time.time()


def _process_space() -> list[str]:
    """Return what identifies this machine's processes, whose numbers containers and restarts repeat."""
    space = [socket.gethostname()]
    with suppress(OSError):
        space.append(str(Path("/proc/self/ns/pid").readlink()))
        space.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    return space


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
