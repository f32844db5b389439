"""A study's journal file: an Optuna journal backend for one writer that can write several changes at once.

Each line is a change of the study in JSON, as `optuna.storages.journal.JournalFileBackend` writes them, so
that Optuna's own tools can open the file. That backend flushes every change by itself and takes a lock for
each; here the sweep's lock keeps other writers away.

The last value of each line, ``crc``, is a checksum over the line and all lines before it: a changed, lost or
moved line is damage, not another study. Journals of earlier versions have lines without it at their start.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages.journal import BaseJournalBackend

from autohier.errors import InputError
from autohier.files import naming_file, open_regular

_LOG = logging.getLogger(__name__)
_SHOWN_BYTES = 80
_NO_FILE = (errno.EINVAL, errno.EISDIR)
"""Errors of opening a pipe, a device or a folder."""
_CHECKSUM = re.compile(rb',"crc":"([0-9a-f]{8})"}$')


@dataclass(frozen=True, slots=True)
class _Place:
    """A place between two lines."""

    number: int = 0
    """Number of changes before it."""
    offset: int = 0
    """Byte at which the next line begins."""
    crc: int = 0
    """Checksum over all lines before it, without blank ones."""
    is_checked: bool = False
    """True if a line before it has a checksum, so that all later ones must."""

    def line(self, change: Mapping[str, Any]) -> bytes:
        """Return the line of a change at this place."""
        body = json.dumps(change, separators=(",", ":")).encode()
        return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body, self.crc))

    def after(self, line: bytes) -> tuple[_Place, dict[str, Any] | None]:
        """Return the place after a line, and the change on it; None for a blank line.

        Raises:
            ValueError: if the line is damaged, or is not the one that was written here.
        """
        text = line.strip()
        if not text:
            return replace(self, offset=self.offset + len(line)), None  # e.g. from an editor
        match = _CHECKSUM.search(text)
        if match is not None and int(match[1], 16) != zlib.crc32(text[: match.start()] + b"}", self.crc):
            raise ValueError("the checksum differs: the line was changed, or one before it changed or lost")
        if match is None and self.is_checked:
            raise ValueError("it has no checksum")
        change = _parse(text)
        change.pop("crc", None)
        return self._past(line, is_checked=self.is_checked or match is not None), change

    def past_own(self, line: bytes) -> _Place:
        """Return the place after a line that `line` has returned."""
        return self._past(line, is_checked=True)

    def _past(self, line: bytes, *, is_checked: bool) -> _Place:
        crc = zlib.crc32(line.strip(), self.crc)
        return _Place(self.number + 1, self.offset + len(line), crc, is_checked)


_START = _Place()


class JournalFile(BaseJournalBackend):
    """The journal file of a sweep.

    One process writes at a time. Others may read meanwhile; they ignore a last line that is not finished.

    Args:
        path: of the file, which is created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.touch()
        self._place = _START
        self._last = (0, b"")
        """Byte at which the line begins that was read last, and the line."""
        self._pending: list[dict[str, Any]] | None = None
        """Changes of a block that are not written yet, as they will be read."""
        self._torn_at: int | None = None
        """Byte at which the part of a failed write begins that could not be removed."""

    @contextmanager
    def written_at_once(self) -> Iterator[None]:
        """Write the changes of a block in one piece when it ends, or fails."""
        self._pending = []
        try:
            yield
        finally:
            pending, self._pending = self._pending, None
            if pending:
                self._place = self._append(pending)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write changes, or keep them until the block ends."""
        if self._pending is None:
            self._append(logs)
        else:
            self._pending += json.loads(json.dumps(logs))

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the changes from a number on.

        Raises:
            InputError: if a line that is not the last one is damaged.
        """
        if self._pending is None or log_number_from < self._place.number:
            yield from self._read(log_number_from)
        if self._pending is not None:
            yield from self._pending[max(0, log_number_from - self._place.number) :]

    def _read(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        place = self._place if log_number_from >= self._place.number else _START
        with self._opened() as file:
            file.seek(place.offset)
            while (line := file.readline()).endswith(b"\n"):  # else another process is writing it
                self._last = (place.offset, line)
                try:
                    place, change = place.after(line)
                except ValueError as error:
                    if file.read().strip():
                        raise self.damage(error) from error
                    return
                if place.number > self._place.number:
                    self._place = place
                if change is not None and place.number > log_number_from:
                    yield change

    def _opened(self) -> BinaryIO:
        try:
            return open_regular(self._path)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise InputError(
                f"{self._path} must be the journal of a study",
                got=error.strerror,
                hint="put a copy of the file in its place, or start another sweep, which reuses the stages",
            ) from error

    def damage(self, error: Exception) -> InputError:
        """Return the error about the line that was read last."""
        offset, line = self._last
        with self._opened() as file:
            line_number = file.read(offset).count(b"\n") + 1
        hint = (
            f"restore the file from a copy, or keep only its lines before it ('head -n {line_number - 1}'): "
        )
        hint += "trials after them run again, and reuse their stages"
        if _num_changes(line) > 1:
            hint = "several changes stand on one line: write each on a line of its own"
        return InputError(
            f"line {line_number} of {self._path} must be one change of the study in JSON",
            got=f"{line[:_SHOWN_BYTES].decode(errors='replace').strip()!r} ({error})",
            hint=hint,
        )

    def _append(self, logs: list[dict[str, Any]]) -> _Place:
        """Write lines and return the place after them; if the disk takes only a part, remove that part."""
        if self._torn_at is not None:
            self._cut_off(self._torn_at)
        deque(self._read(self._place.number), maxlen=0)  # another object may have written to the file
        place, lines = self._place, b""
        for log in logs:
            line = place.line(log)
            place = place.past_own(line)
            lines += line
        size_bytes = self._path.stat().st_size
        try:
            # Unbuffered: a buffer that could not be written is written again when its file is closed.
            with naming_file(self._path), self._path.open("ab", buffering=0) as file:
                rest = memoryview(lines)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        except OSError:
            self._torn_at = size_bytes
            with suppress(OSError):  # the error of the write says more
                self._cut_off(size_bytes)
            raise
        return replace(place, offset=size_bytes + len(lines))

    def _cut_off(self, size_bytes: int) -> None:
        """Remove what a failed write has left; as long as that fails, nothing can be appended."""
        os.truncate(self._path, size_bytes)
        self._torn_at = None


def repair_last_line(journal_file: Path) -> None:
    """Cut off a last line that was not written to its end; lines after it would be unreadable."""
    if not journal_file.is_file():
        return
    content = journal_file.read_bytes()
    end = content.rfind(b"\n") + 1
    place = _START
    for line in io.BytesIO(content[:end]):
        try:
            place, _ = place.after(line)
        except ValueError:
            if not content[place.offset + len(line) : end].strip() and _num_changes(line) <= 1:
                end = place.offset
            break
    if end < len(content):
        _LOG.warning(
            "removed the unfinished last line of %s; the trial it belongs to runs again", journal_file
        )
        with journal_file.open("r+b") as file:
            file.truncate(end)


def _parse(line: bytes) -> dict[str, Any]:
    """Return the change on a line.

    Raises:
        ValueError: if the line is not one change.
    """
    try:
        change = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(change, dict):
        raise ValueError("not an object")  # noqa: TRY004  as json raises
    return change


def _num_changes(line: bytes) -> int:
    """Return the number of JSON values on a line; 0 if it is damaged."""
    decoder, text, number = json.JSONDecoder(), line.decode(errors="replace").strip(), 0
    while text:
        try:
            _, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            return 0
        text, number = text[end:].strip(), number + 1
    return number
