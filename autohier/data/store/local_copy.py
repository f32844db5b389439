"""Copy of a store on a machine's own disk, made once for all processes of the machine.

::

    <local>/<fingerprint>/            the content that the copy has, so that no other clips are ever read
        <dataset>/                    the copy; renamed to this name when it is whole
        <dataset>.partial/            a copy that is being made, or the remainder of one that was interrupted
        lock                          held while a copy is made
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

from autohier.data.store.manifest import Manifest, load_record
from autohier.data.store.paths import MANIFEST, SHARDS, shard_path
from autohier.errors import InputError, MissingDataError

_BLOCK_BYTES: Final = 8 << 20
_RESERVED_BYTES: Final = 1 << 30
"""Bytes of the disk that stay free, as far as the copy is no smaller itself."""

OnProgress = Callable[[int, int], None]
"""Called with the bytes that are copied and those of the whole copy."""


def copy_locally(store: Path, local: Path, on_progress: OnProgress = lambda *_: None) -> Path:
    """Return a store's copy on this machine's disk, which is made first if there is none.

    Processes that ask for the same copy at the same time wait for the one that makes it.

    Args:
        store: folder of the store, e.g. on a network file system.
        local: folder of all copies on this machine.
        on_progress: called while the copy is made.

    Raises:
        InputError: if the copy does not fit the disk, or the folder cannot lock files.
        MissingDataError: if the store is not finished, or a shard does not match its digest.
        OSError: if the store cannot be read, or the folder cannot be written.
    """
    manifest = load_record(Manifest, store / MANIFEST)
    if manifest is None:
        raise MissingDataError(f"{store / MANIFEST} is missing or damaged")
    folder = local / manifest.fingerprint
    copy = folder / store.name
    if (copy / MANIFEST).is_file():
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not (copy / MANIFEST).is_file():
            _copy(store, manifest, copy, on_progress)
    return copy


@contextmanager
def _locked(lock_file: Path) -> Iterator[None]:
    lock = FileLock(lock_file, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        raise InputError(
            "the folder of local copies must be able to lock files",
            got=f"{lock_file.parent} ({error.strerror})",
            hint="name a folder on a disk of the machine itself",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _copy(store: Path, manifest: Manifest, copy: Path, on_progress: OnProgress) -> None:
    partial = copy.with_name(f"{copy.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # its process has died, as this one holds the lock
    total = sum(entry.num_bytes for entry in manifest.shards)
    free = shutil.disk_usage(copy.parent).free
    if free < total + min(total, _RESERVED_BYTES):
        raise InputError(
            f"a copy of {store.name} must fit the disk of {copy.parent}",
            got=f"{_size_text(total)}, and {_size_text(free)} are free",
            hint="free some space, or name another folder",
        )
    try:
        (partial / SHARDS).mkdir(parents=True)
        copied = 0
        for index, entry in enumerate(manifest.shards):
            source = shard_path(store, index)
            sha256 = hashlib.sha256()
            with source.open("rb") as read, shard_path(partial, index).open("wb") as written:
                while block := read.read(_BLOCK_BYTES):
                    written.write(block)
                    sha256.update(block)
                    copied += len(block)
                    on_progress(copied, total)
            if sha256.hexdigest() != entry.sha256:
                raise MissingDataError(f"the shard {source} must match its digest")
        # All but the shards and their receipts, which only a preparation reads.
        for file in store.iterdir():
            if file.is_file():
                shutil.copyfile(file, partial / file.name)
        partial.rename(copy)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _size_text(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"
