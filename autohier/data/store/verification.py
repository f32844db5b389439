"""Digests of shards, checked before their first use in a process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from autohier.data.store.manifest import ShardEntry
from autohier.data.store.paths import prepare_command, shard_path
from autohier.digest import digest_file
from autohier.errors import MissingDataError

_verified: set[tuple[object, ...]] = set()
"""Files that this process has found to match their digests, by digest and state of the file."""


class ShardDigests:
    """The digests of a store's shards, each of which a process checks once.

    A check reads the whole shard and computes its SHA-256, at 1.5 GB/s a core if the processor has
    instructions for it (0.4 GB/s else); several threads check different shards at the same time. A store of
    10 GB thus costs each training process 7 s of one core before its first epoch, a fifteenth of the time in
    which it decodes all frames once. Another `ShardDigests` of the same files in the same process checks
    nothing again, as long as size, times and number of the files stay.
    """

    def __init__(self, folder: Path, entries: Sequence[ShardEntry]) -> None:
        self._folder = folder
        self._entries = entries
        self._is_checked = [False] * len(entries)
        self._locks = [Lock() for _ in entries]

    def check_once(self, index: int) -> None:
        """Check that no byte of a shard has changed, unless this process has done so.

        Raises:
            MissingDataError: names the shard.
        """
        if not self._is_checked[index]:
            with self._locks[index]:
                self._is_checked[index] = self._is_checked[index] or self._check(index)

    def check_all(self) -> None:
        """Check every shard, also those that this process has checked before.

        Raises:
            MissingDataError: names the first damaged shard.
        """
        for index in range(len(self._entries)):
            self._check(index, again=True)

    def _check(self, index: int, *, again: bool = False) -> bool:
        path, sha256 = shard_path(self._folder, index), self._entries[index].sha256
        try:
            state = path.stat()
            key = (sha256, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            is_intact = (key in _verified and not again) or digest_file(path) == sha256
        except FileNotFoundError:
            is_intact = False
        if not is_intact:
            raise MissingDataError(
                f"the shard {path} must match its digest",
                hint=f"run '{prepare_command(self._folder)}' again: it replaces damaged shards",
            )
        _verified.add(key)
        return True
