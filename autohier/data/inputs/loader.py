"""Batches of clips, read ahead by threads if that is faster; order and samples depend only on a seed.

Legend: B clips of a batch, R clips of it that this process reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.inputs.base import ClipInput
from autohier.data.inputs.named import ClipBatch, map_clips, stack_clips
from autohier.data.inputs.shapes import ClipArrays
from autohier.data.inputs.share import WHOLE, Share

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Batch of clips on the device, before the transform of the clip input."""

    clips: ClipBatch
    """[R, ...] of what the clip input reads; R = B unless several processes share the batch."""
    labels_B: Tensor
    """int64, of all clips of the batch."""
    positions_R: NDArray[np.int64]
    """Positions in the batch of the clips that were read."""


@dataclass(frozen=True, slots=True)
class _Indices:
    """Indices of a batch's clips within an epoch or set, and the positions of those that are read."""

    whole_B: NDArray[np.int64]
    positions_R: NDArray[np.int64]

    @property
    def own(self) -> list[int]:
        own: list[int] = self.whole_B[self.positions_R].tolist()
        return own


@dataclass(frozen=True, slots=True)
class ClipLoader:
    """Loader of the clips of some rows in batches; memory holds a few batches, for any number of rows."""

    clip_input: ClipInput
    rows: NDArray[np.int64]
    batch_size: int
    device: torch.device
    num_threads: int = 1
    repeats: int = 1
    """Times that a training epoch reads each row."""

    @property
    def num_training_batches(self) -> int:
        """Batches of an epoch, none larger than ``batch_size``."""
        return -(-self.repeats * len(self.rows) // self.batch_size)

    def training_epoch(self, seed: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield every row ``repeats`` times; order and sampled frames depend only on the seed.

        Only the clips of the share are read. Batches have the same clips for every share.

        Batch sizes differ by at most one: a short last batch would give batch norm poor statistics and its
        clips more weight than the others.
        """
        random = np.random.default_rng(seed)
        order = random.permutation(self.repeats * len(self.rows))
        # One seed per clip read, so that the samples do not depend on the order in which threads run.
        seeds = random.integers(2**63, size=len(order))

        def read(number: int) -> ClipArrays:
            row = self.rows[number % len(self.rows)]
            return self.clip_input.read_train(int(row), np.random.default_rng(seeds[number]))

        yield from self._read(np.array_split(order, self.num_training_batches), read, share)

    def evaluation_set(self, set_index: int, num_sets: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield every row once, in order, with the frames of one of ``num_sets`` evaluation sets.

        With several processes, each has a slice of the rows, in smaller batches. A process without rows gets
        the first one, so that it learns the shape of a clip.
        """
        own = share.slice_of(len(self.rows)) or range(1)
        order, size = np.arange(own.start, own.stop), -(-self.batch_size // share.width)

        def read(index: int) -> ClipArrays:
            return self.clip_input.read_eval(int(self.rows[index]), set_index, num_sets)

        yield from self._read(np.split(order, range(size, len(order), size)), read, WHOLE)

    def _read(
        self, whole: Sequence[NDArray[np.int64]], read: Callable[[int], ClipArrays], share: Share
    ) -> Iterator[Batch]:
        batches = [_Indices(indices, share.positions(len(indices))) for indices in whole]
        if self.device.type == "cpu" and not self.clip_input.frees_interpreter:
            # A reading thread would hold Python's global lock, which the training thread then waits for.
            for indices in batches:
                yield self._to_device(indices, [read(index) for index in indices.own])
        else:
            yield from self._read_ahead(batches, read)

    def _read_ahead(self, batches: Sequence[_Indices], read: Callable[[int], ClipArrays]) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.num_threads, thread_name_prefix="decode") as threads:
            pending: deque[tuple[_Indices, list[Future[ClipArrays]]]] = deque()
            todo = iter(batches)
            try:
                while True:
                    while len(pending) <= _BATCHES_AHEAD and (indices := next(todo, None)) is not None:
                        pending.append((indices, [threads.submit(read, index) for index in indices.own]))
                    if not pending:
                        return
                    indices, futures = pending.popleft()
                    yield self._to_device(indices, [future.result() for future in futures])
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _to_device(self, indices: _Indices, read: list[ClipArrays]) -> Batch:
        clips = stack_clips(read)
        labels_B = torch.from_numpy(self.clip_input.labels[self.rows[indices.whole_B % len(self.rows)]])
        if self.device.type == "cuda":
            clips, labels_B = map_clips(Tensor.pin_memory, clips), labels_B.pin_memory()
        return Batch(
            map_clips(lambda tensor: tensor.to(self.device, non_blocking=True), clips),
            labels_B.to(self.device, non_blocking=True),
            indices.positions_R,
        )
