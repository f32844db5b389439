"""Spreading the shards of a preparation over worker processes. Imports no torch.

Workers are spawned, never forked: a fork would copy the locks of whatever the caller has loaded. They
end with their parent, however it ends, and pay no heed to Ctrl-C, which the parent handles.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event
from pathlib import Path

from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.preparation_steps import prepare_shard
from autohier.data.store.manifest import Receipt, StoreOptions
from autohier.errors import InputError

_POLL_S = 0.5
_SHARDS_AHEAD = 2  # per worker: enough to keep it busy, few enough to stop soon

Tell = Callable[[int, int, int], None]


def prepare_shards(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    shards: Mapping[int, Sequence[ClipSource]],
    *,
    num_workers: int,
    tell: Tell,
) -> list[Receipt]:
    """Prepare all shards and return their receipts in order.

    Args:
        reader: of the clips' dataset.
        options: how to prepare them.
        folder: the store.
        shards: the clips of each shard, by its index.
        num_workers: processes; 1 for none beside this one.
        tell: called with the clips done, rejected and found whole, all since the start.

    Raises:
        OSError: where a shard cannot be written; the finished ones stay.
        InputError: where a worker is killed; the finished shards stay.
    """
    num_workers = min(num_workers, len(shards))
    if num_workers > 1:
        return _prepare_in_pool(reader, options, folder, shards, num_workers=num_workers, tell=tell)
    totals = [0, 0, 0]

    def count(*changes: int) -> None:
        totals[:] = (total + change for total, change in zip(totals, changes, strict=True))
        tell(*totals)

    return [
        prepare_shard(reader, options, folder, index, clips, tell=count) for index, clips in shards.items()
    ]


def _prepare_in_pool(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    shards: Mapping[int, Sequence[ClipSource]],
    *,
    num_workers: int,
    tell: Tell,
) -> list[Receipt]:
    context = multiprocessing.get_context("spawn")
    job = _Job(reader, options, folder, context.Array("q", 3), context.Event())
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_enter, initargs=(job,))
    receipts: list[Receipt] = []
    waiting = iter(shards.items())
    pending: set[Future[Receipt]] = set()
    try:
        while True:
            while len(pending) < num_workers * _SHARDS_AHEAD and (task := next(waiting, None)) is not None:
                pending.add(pool.submit(_prepare_one, *task))
            if not pending:
                break
            finished, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            receipts.extend(future.result() for future in finished)
            tell(*job.totals[:])
    except BrokenProcessPool as error:
        raise InputError(
            "all workers must live on, and one was killed, most often for want of memory",
            remedy="run again with fewer --workers, finished shards are kept",
        ) from error
    finally:
        job.is_stopped.set()
        pool.shutdown(cancel_futures=True)
    return sorted(receipts, key=lambda receipt: receipt.index)


@dataclass(frozen=True, slots=True)
class _Job:
    """What all workers of one preparation share; ``totals`` are clips done, rejected and found whole."""

    reader: DatasetReader
    options: StoreOptions
    folder: Path
    totals: SynchronizedArray[int]
    is_stopped: Event

    def count(self, *changes: int) -> None:
        with self.totals.get_lock():
            self.totals[:] = [total + change for total, change in zip(self.totals[:], changes, strict=True)]
        if self.is_stopped.is_set():
            raise InterruptedError("the preparation was stopped")


_job: ContextVar[_Job] = ContextVar("job")


def live_with_parent() -> None:
    """Make this worker process end with its parent, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _enter(job: _Job) -> None:
    _job.set(job)
    live_with_parent()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare_one(index: int, clips: Sequence[ClipSource]) -> Receipt:
    job = _job.get()
    return prepare_shard(job.reader, job.options, job.folder, index, clips, tell=job.count)
