"""A disk that fails: the n-th change of a file below a folder, or all from the n-th on, raises an OSError.

Changes are what reaches the system: opening a file for writing, each write, flush to the disk, truncation,
renaming, linking, making and removing files and folders, and setting times. A failing write leaves a half of
its bytes, as a full disk does. Reading never fails.

Libraries that write files outside Python are not seen.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FULL, BROKEN = errno.ENOSPC, errno.EIO
_NEEDS_SPACE: Final = frozenset({"open", "write", "fsync", "mkdir", "rename", "replace", "link"})
"""Changes that a full disk refuses; it still removes files."""
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OPEN = io.open
_OS = {name: getattr(os, name) for name in (
    "open", "fsync", "rename", "replace", "link", "mkdir", "unlink", "remove", "rmdir", "truncate", "utime",
)}  # fmt: skip


@dataclass
class FaultyDisk:
    """Counts the changes below a folder and fails some of them.

    Attributes:
        folder: only changes below it count.
        first: number of the first change that fails, from 1; 0 fails none.
        number: of the error, ENOSPC or EIO.
        lasts: True if all later changes fail too; with ENOSPC, those that need space.
        seen: changes so far, e.g. "write stage.json".
        failed: those that failed.
    """

    folder: Path
    first: int = 0
    number: int = FULL
    lasts: bool = False
    seen: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def count(self, change: str, path: Any) -> bool:
        """Count a change; return True if it fails."""
        if not self.holds(path):
            return False
        self.seen.append(f"{change} {Path(os.fsdecode(path)).name}")
        position = len(self.seen)
        fails = bool(self.first) and (position == self.first or (self.lasts and position > self.first))
        if not fails or (self.number == FULL and change not in _NEEDS_SPACE):
            return False
        self.failed.append(self.seen[-1])
        return True

    def check(self, change: str, path: Any) -> None:
        """Count a change and raise the error if it fails."""
        if self.count(change, path):
            raise self.error(path)

    def error(self, path: Any) -> OSError:
        """Return the error of a change of a path."""
        return OSError(self.number, os.strerror(self.number), os.fsdecode(path))

    def holds(self, path: Any) -> bool:
        """Return True if a path lies below the folder."""
        return _is_path(path) and os.path.abspath(os.fsdecode(path)).startswith(f"{self.folder}{os.sep}")  # noqa: PTH100


class _FaultyFile(io.FileIO):
    """A file whose writes are changes of a disk."""

    disk: FaultyDisk
    path: str

    def write(self, content: Any) -> int:
        if self.disk.count("write", self.path):
            super().write(bytes(content)[: memoryview(content).nbytes // 2])
            raise self.disk.error(self.path)
        return super().write(content)

    def truncate(self, size: int | None = None) -> int:
        self.disk.check("truncate", self.path)
        return super().truncate(size)


@contextmanager
def failing(disk: FaultyDisk) -> Iterator[FaultyDisk]:
    """Let a disk fail in this process while the block runs."""
    import pytest  # not needed in the processes of a sweep

    with pytest.MonkeyPatch.context() as patch:
        install(disk, patch.setattr)
        yield disk


def install(disk: FaultyDisk, put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let a disk fail in this process; ``put`` sets an attribute of a module."""

    def open_descriptor(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & _WRITING:
            disk.check("open", path)
        descriptor: int = _OS["open"](path, flags, *arguments, **options)
        return descriptor

    def synchronize(descriptor: int) -> None:
        path = _path_of(descriptor)
        disk.check("fsync", path)
        if not disk.holds(path):  # no test loses its power, and waiting for a disk takes long
            _OS["fsync"](descriptor)

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        path: Any = _path_of(file) if isinstance(file, int) else file
        if not set(mode) & set("wax+") or not _is_path(path):
            return _OPEN(file, mode, buffering, *arguments, **options)
        if not isinstance(file, int):
            disk.check("open", path)
        return _open(disk, file, os.fsdecode(path), mode, buffering, *arguments, **options)

    put(os, "open", open_descriptor)
    put(os, "fsync", synchronize)
    for name in set(_OS) - {"open", "fsync"}:
        put(os, name, _checked(disk, name))
    put(io, "open", open_file)
    put(builtins, "open", open_file)


def _checked(disk: FaultyDisk, name: str) -> Callable[..., Any]:
    def change(path: Any, *arguments: Any, **options: Any) -> Any:
        # A call that changes nothing, e.g. making a folder that exists, fails in its own way.
        if options.get("dir_fd") is None and os.path.lexists(path) == (name != "mkdir"):
            target = arguments[0] if name in {"rename", "replace", "link"} else path
            disk.check(name, target)
        return _OS[name](path, *arguments, **options)

    return change


def _open(
    disk: FaultyDisk,
    file: Any,
    path: str,
    mode: str,
    buffering: int,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    raw = _FaultyFile(file, mode.replace("b", "").replace("t", ""), closefd=closefd, opener=opener)
    raw.disk, raw.path = disk, path
    if buffering == 0:
        return raw
    buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    if "b" in mode:
        return buffered
    return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)


def _is_path(path: Any) -> bool:
    return isinstance(path, str | bytes | os.PathLike)


def _path_of(descriptor: int) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  it may be no path
    except OSError:
        return None


def install_from_environment() -> None:
    """Let a disk fail at some changes of all processes that have this environment.

    FAULTY_FOLDER is the folder, and FAULTY_CHANGES says which change fails with which error: "31:28 74:5".
    """
    folder = os.environ.get("FAULTY_FOLDER")
    if folder:
        pairs = (pair.split(":") for pair in os.environ["FAULTY_CHANGES"].split())
        install(_SharedDisk(Path(folder), errors={int(position): int(number) for position, number in pairs}))


@dataclass
class _SharedDisk(FaultyDisk):
    """A disk of several processes: they append a line for each change to a file next to the folder."""

    errors: Mapping[int, int] = field(default_factory=dict)
    """Number of the error by the number of the change."""

    def count(self, change: str, path: Any) -> bool:
        if not self.holds(path):
            return False
        line = f"{change} {Path(os.fsdecode(path)).name}".encode()[: _LINE_BYTES - 1]
        descriptor = _OS["open"](f"{self.folder}.changes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, line.ljust(_LINE_BYTES - 1) + b"\n")
            position = os.lseek(descriptor, 0, os.SEEK_CUR) // _LINE_BYTES
        finally:
            os.close(descriptor)
        if position not in self.errors:
            return False
        self.number = self.errors[position]
        if self.number == FULL and change not in _NEEDS_SPACE:
            return False
        self.failed.append(f"{change} {path}")
        return True


_LINE_BYTES: Final = 200
