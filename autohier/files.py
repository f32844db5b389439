"""Atomic writes of files and folders, and checked opening of untrusted files."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from autohier.errors import InputError

_HOST_CHARS = 24


def check_new_file(path: Path, *, option: str) -> None:
    """Check that a file to write does not exist yet.

    Args:
        path: the file.
        option: option of the command line that names it, for the error.

    Raises:
        InputError: if there is a file or a folder of this name.
    """
    if os.path.lexists(path):
        what = "a folder" if path.is_dir() else "a file"
        hint = f"write {option} {path}/NAME" if path.is_dir() else "choose another name, or delete it first"
        raise InputError(f"{option} must name a file that does not exist", got=f"{path}, {what}", hint=hint)


def write_atomically(path: Path, content: bytes, *, lasting: bool = True, mode: int = 0o666) -> None:
    """Write a file so that readers see either the old or the new content, never a part.

    Args:
        path: path of the file; missing folders are created.
        content: new content.
        lasting: True waits until the content is on disk. With False, a power failure may leave a part.
        mode: permissions, without those that the umask takes away.

    Raises:
        OSError: if the folder cannot be written; the old file is then unchanged.
    """
    with open_atomically(path, lasting=lasting, mode=mode) as file:
        file.write(content)


@contextmanager
def open_atomically(path: Path, *, lasting: bool = True, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces ``path`` when the block succeeds and is removed otherwise.

    See `write_atomically` for ``lasting`` and ``mode``.

    Raises:
        OSError: if the folder cannot be written; the old file is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        with naming_file(path):
            # With its mode from the start: content that is protected afterwards was readable for a moment.
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                yield file
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        _discard(temporary)
        raise


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add a path to errors of the system in the block that name no file, as those of reads and writes do.

    Raises:
        OSError: with the path.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_once(path: Path, content: bytes) -> None:
    """Write a file atomically unless it exists already.

    Raises:
        OSError: if the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        write_atomically(temporary, content)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        _discard(temporary)


def open_regular(path: Path) -> BinaryIO:
    """Open an untrusted file for reading.

    Raises:
        OSError: if the file cannot be read, or is a pipe or a device, whose content may never end.
    """
    check_regular(path)
    return path.open("rb")


def check_regular(path: Path) -> None:
    """Check that a path leads to a regular file or a folder.

    Raises:
        OSError: if the path does not exist, or leads to a pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "a pipe, a socket or a device", str(path))


def delete(path: Path) -> None:
    """Delete a folder, a file or a symbolic link.

    Raises:
        OSError: if it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def check_file(path: Path) -> None:
    """Check that a path leads to a regular file.

    Raises:
        OSError: if the path does not exist, or leads to something else.
    """
    check_regular(path)
    if path.is_dir():
        raise OSError(errno.EISDIR, "a folder", str(path))


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``path`` when the block succeeds.

    If another process has published ``path`` first, its folder stays and this one is removed. If the block
    raises, nothing is published.

    Raises:
        OSError: if the parent folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in sorted(temporary.rglob("*")):
            if file.is_file():
                _sync(file)
        _sync(temporary)
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _discard(temporary: Path) -> None:
    """Remove a temporary file; one that stays on a broken disk is never read, and hides no earlier error."""
    with suppress(OSError):
        temporary.unlink()


def _temporary_name(path: Path) -> Path:
    # The host is part of the name because process ids are not unique across the nodes of a cluster.
    host = socket.gethostname()[:_HOST_CHARS]
    return path.with_name(f".{path.name}.{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
