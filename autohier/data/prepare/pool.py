"""Worker processes of a preparation. Imports no torch.

Process model:

* The process that calls `prepare_shards` is the parent. With ``num_workers=1`` it prepares all shards itself
  and starts no process. Otherwise it starts the workers with the *spawn* method: forking would copy locks
  that the caller's libraries may hold.
* Each worker receives the job once, when it starts, and then one shard at a time. The parent keeps at most
  two shards per worker submitted, so that it can stop soon.
* On SIGINT (Ctrl-C) only the parent raises KeyboardInterrupt: workers ignore it, and SIGTERM and SIGHUP,
  which a whole process group may get. The parent then sets the stop event and waits; each worker ends its
  shard after the current clip, without publishing it.
* If the parent dies in any way, a thread in each worker notices and ends the worker at once.
* If a worker is killed, the parent stops the others in the same way and raises InputError. Published shards
  are kept in every case.
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

from autohier.data.datasets.base import ClipSource, DatasetReader
from autohier.data.prepare.shard import prepare_shard
from autohier.data.store.manifest import Receipt, StoreOptions
from autohier.errors import InputError
from autohier.machine import ENDING_SIGNALS, machine_share

_POLL_S = 0.5
_WORKER_BYTES = 512 << 20
"""Memory of a worker: its libraries, and the frames of a clip."""
_SHARDS_PER_WORKER = 2  # submitted at a time: enough to keep a worker busy, few enough to stop soon

OnProgress = Callable[[int, int, int], None]


def check_workers(num_workers: int | None) -> int:
    """Return the number of processes to use: the given one, or for None up to what cores and memory allow.

    Raises:
        InputError: if the number is below 1.
    """
    if num_workers is None:
        return machine_share().num_processes(_WORKER_BYTES)
    if num_workers < 1:
        raise InputError("the number of workers must be at least 1", got=num_workers)
    return num_workers


def prepare_shards(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    shards: Mapping[int, Sequence[ClipSource]],
    *,
    num_workers: int,
    on_progress: OnProgress,
) -> list[Receipt]:
    """Prepare all shards and return their receipts in order.

    Args:
        reader: reader of the clips' dataset.
        options: how to prepare the clips.
        folder: folder of the store.
        shards: clips of each shard, by its index.
        num_workers: number of worker processes; 1 works in the calling process.
        on_progress: called in the calling thread with the clips done, rejected and reused since the start.

    Raises:
        OSError: if a shard cannot be written; finished shards are kept.
        InputError: if a worker is killed; finished shards are kept.
    """
    num_workers = min(num_workers, len(shards))
    if num_workers > 1:
        return _prepare_in_pool(
            reader, options, folder, shards, num_workers=num_workers, on_progress=on_progress
        )
    totals = [0, 0, 0]

    def count(*changes: int) -> None:
        totals[:] = (total + change for total, change in zip(totals, changes, strict=True))
        on_progress(*totals)

    return [
        prepare_shard(reader, options, folder, index, clips, on_progress=count)
        for index, clips in shards.items()
    ]


def _prepare_in_pool(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    shards: Mapping[int, Sequence[ClipSource]],
    *,
    num_workers: int,
    on_progress: OnProgress,
) -> list[Receipt]:
    context = multiprocessing.get_context("spawn")
    job = _Job(reader, options, folder, context.Array("q", 3), context.Event())
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_start_worker, initargs=(job,))
    receipts: list[Receipt] = []
    waiting = iter(shards.items())
    pending: set[Future[Receipt]] = set()
    try:
        while True:
            while (
                len(pending) < num_workers * _SHARDS_PER_WORKER and (task := next(waiting, None)) is not None
            ):
                pending.add(pool.submit(_prepare_in_worker, *task))
            if not pending:
                break
            finished, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            receipts.extend(future.result() for future in finished)
            on_progress(*job.totals[:])
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, most likely because memory ran out",
            hint="run again with fewer --workers; finished shards are kept",
        ) from error
    finally:
        job.is_stopped.set()
        pool.shutdown(cancel_futures=True)
    return sorted(receipts, key=lambda receipt: receipt.index)


@dataclass(frozen=True, slots=True)
class _Job:
    """State that all workers of one preparation share; ``totals`` are clips done, rejected and reused."""

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


def tie_to_parent() -> None:
    """Make this worker process ignore `ENDING_SIGNALS`, and exit as soon as its parent has ended."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _start_worker(job: _Job) -> None:
    _job.set(job)
    tie_to_parent()


def _prepare_in_worker(index: int, clips: Sequence[ClipSource]) -> Receipt:
    job = _job.get()
    return prepare_shard(job.reader, job.options, job.folder, index, clips, on_progress=job.count)
