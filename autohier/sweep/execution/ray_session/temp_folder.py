"""The folder of a local Ray's sockets and logs: short, private to one user, and removed at the sweep's end.

Ray lets every user of the machine write to its folder, and would connect to the sockets that they put there.
So it gets a folder inside one that only its user can enter.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from autohier.errors import InputError

_RAY_CHOICE = "RAY_TMPDIR"
_MAX_SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""Longest path of a socket that the operating system takes (AF_UNIX)."""
_BELOW = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""Longest path that Ray makes below its folder."""
_MAX_BYTES = _MAX_SOCKET_BYTES - len(_BELOW)
_LOCK = "driver.lock"
_INNER = "r"
"""Folder of Ray inside the private one."""
_PREFIX, _OWN_NAME = "ray-", f"/ray-12345678/{_INNER}"
_OTHERS = 0o077
"""Permission bits of a folder's group and of all others."""
_STARTED_S = 600.0
"""Age of a folder that its driver has locked for sure, if it is alive."""
_USUAL_PLACES = ("/tmp", "/var/tmp")  # noqa: S108  the folder made in there is private


@contextmanager
def ray_temp_folder(environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Yield the folder for a local Ray.

    It lies in a new private folder below ``TMPDIR`` or one of the usual places, the first that works, so
    that neither another user's ``/tmp/ray`` nor a long ``TMPDIR`` is in the way. The private folder is
    removed when the block ends; later sweeps remove that of a killed process. ``RAY_TMPDIR``, if set, gets
    the private folder ``ray-UID``, with the number of the user, which stays.

    Raises:
        InputError: if no place works. Names each with its reason.
    """
    chosen = environment.get(_RAY_CHOICE)
    if chosen:
        yield _chosen_folder(chosen)
        return
    folder = _new_folder([*filter(None, [environment.get("TMPDIR")]), *_USUAL_PLACES])
    _remove_abandoned(folder.parent)
    try:
        with _lock(folder):
            yield folder / _INNER
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a process of Ray may still write into it


def _lock(folder: Path) -> FileLock:
    """Return the lock that a driver holds on its folder; it ends with the process, even a killed one."""
    return FileLock(folder / _LOCK, timeout=0, fallback_to_soft=False)


def _remove_abandoned(place: Path) -> None:
    """Remove the folders that killed drivers of this user left in a place."""
    for folder in place.glob(f"{_PREFIX}????????"):
        with suppress(OSError, Timeout):
            state = folder.lstat()
            # Opening a lock in another user's folder could open any file.
            is_own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
            if is_own and time.time() - state.st_mtime > _STARTED_S and (folder / _LOCK).is_file():
                with _lock(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _new_folder(places: Sequence[str]) -> Path:
    reasons: dict[str, str] = {}
    for place in places:
        path = os.path.abspath(place)  # noqa: PTH100  without links, which may make it longer
        reason = _too_long(path, _OWN_NAME)
        if reason is None:
            try:
                return _lockable_folder(path)
            except OSError as error:
                reason = error.strerror or str(error)
        reasons.setdefault(place, reason)
    raise _unusable("; ".join(f"{place}: {reason}" for place, reason in reasons.items()), "TMPDIR", _OWN_NAME)


def _lockable_folder(place: str) -> Path:
    """Make a private folder in a place.

    Raises:
        OSError: if none can be made there, or the file system has no locks.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        _lock(folder).acquire().lock.release()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OSError(error.errno, f"files in it cannot be locked ({error.strerror})", str(folder)) from error
    return folder


def _chosen_folder(chosen: str) -> Path:
    """Return Ray's folder below the one that the user chose, in a private folder that is made if missing.

    Raises:
        InputError: if it cannot be used.
    """
    name = f"/{_PREFIX}{os.getuid()}/{_INNER}"
    path = os.path.abspath(chosen)  # noqa: PTH100  without links, as above
    reason = _too_long(path, name)
    folder = Path(path + name)
    if reason is None:
        try:
            _make_private(folder.parent)
            tempfile.TemporaryFile(dir=folder.parent).close()
        except OSError as error:
            reason = error.strerror or str(error)
    if reason is not None:
        raise _unusable(f"{path}: {reason}", _RAY_CHOICE, name)
    return folder


def _make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, or make an existing one of this user so.

    Raises:
        OSError: if that is not possible, e.g. because another user made the folder first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise FileExistsError(errno.EEXIST, f"{folder.name} in it is no folder of yours", str(folder))
    if state.st_mode & _OTHERS:
        folder.chmod(0o700)


def _too_long(path: str, name: str) -> str | None:
    num_bytes = len(os.fsencode(path))
    return f"a path of {num_bytes} bytes" if num_bytes > _MAX_BYTES - len(name) else None


def _unusable(found: str, variable: str, name: str) -> InputError:
    max_bytes = _MAX_BYTES - len(name)
    return InputError(
        f"Ray needs a folder that you can write to, whose path has at most {max_bytes} bytes",
        got=found,
        hint=f"set {variable} to such a folder, e.g. one that you create in your home folder",
    )
