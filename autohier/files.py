"""Files: our own are there whole or not at all, written under a temporary name; others are looked at."""

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

_HOST_CHARS = 24


def write_atomically(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Write a file so that readers see the old content or the new, never a part.

    Args:
        path: of the file.
        content: of the file.
        lasting: waits until the disk has it; else a machine that loses its power may be left with a part.

    Raises:
        OSError: where the folder cannot be written; the old file is untouched then.
    """
    with open_atomically(path, lasting=lasting) as file:
        file.write(content)


@contextmanager
def open_atomically(path: Path, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """Yield a file to write that becomes ``path`` when the block ends well; otherwise it is dropped.

    See write_atomically for ``lasting``.

    Raises:
        OSError: where the folder cannot be written; the old file is untouched then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        with temporary.open("wb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_once(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, unless it is there already.

    Raises:
        OSError: where the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        write_atomically(temporary, content)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read that may be anybody's.

    Raises:
        OSError: where it cannot be read, or is a pipe or a device, which may never come to an end.
    """
    check_regular(path)
    return path.open("rb")


def check_regular(path: Path) -> None:
    """Look at what kind of file a path leads to.

    Raises:
        OSError: where there is none, or it is neither a file proper nor a folder.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "a pipe, a socket or a device", str(path))


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` when the block ends well.

    Where somebody else published ``path`` first, theirs stays and ours is dropped. Where the block
    raises, nothing is published.
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


def _temporary_name(path: Path) -> Path:
    # The host is part of the name because process ids collide between the nodes of a cluster.
    host = socket.gethostname()[:_HOST_CHARS]
    return path.with_name(f".{path.name}.{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
