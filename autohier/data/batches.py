"""Batches of clips: read ahead by threads where that is quicker, shuffled and sampled from a seed alone.

Legend: B clips.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.forms.form import ClipForm

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips on the device."""

    clips: Tensor
    """[B, ...] of what the form reads."""
    labels_B: Tensor
    """int64"""


@dataclass(frozen=True, slots=True)
class ClipBatches:
    """The clips of some rows, in batches; memory holds a few batches, whatever the number of rows."""

    form: ClipForm
    rows: NDArray[np.int64]
    batch_size: int
    device: torch.device
    num_threads: int = 1

    @property
    def num_training_batches(self) -> int:
        """Batches of an epoch, none larger than ``batch_size``."""
        return -(-len(self.rows) // self.batch_size)

    def training_epoch(self, seed: int) -> Iterator[Batch]:
        """Every row once, in an order and with frames that follow from the seed.

        Batches differ by at most one clip in size: a short last batch would give batch norm poor statistics
        and its clips more weight than the others have.
        """
        random = np.random.default_rng(seed)
        order = random.permutation(len(self.rows))
        # A source of its own for every clip, so that no order of threads changes what a clip draws.
        seeds = random.integers(2**63, size=len(self.rows))

        def draw(index: int) -> NDArray[Any]:
            return self.form.draw(int(self.rows[index]), np.random.default_rng(seeds[index]))

        yield from self._read(np.array_split(order, self.num_training_batches), draw)

    def evaluation_set(self, set_index: int, num_sets: int) -> Iterator[Batch]:
        """Every row once, in order, with the frames of one of ``num_sets`` sets."""
        order = np.arange(len(self.rows))

        def take(index: int) -> NDArray[Any]:
            return self.form.take(int(self.rows[index]), set_index, num_sets)

        yield from self._read(np.split(order, range(self.batch_size, len(order), self.batch_size)), take)

    def _read(
        self, batches: Sequence[NDArray[np.int64]], read: Callable[[int], NDArray[Any]]
    ) -> Iterator[Batch]:
        if self.device.type == "cpu" and not self.form.frees_interpreter:
            # A thread that reads would only keep the training from the interpreter, and makes it wait.
            for chosen in batches:
                yield self._to_device(chosen, [read(index) for index in chosen.tolist()])
        else:
            yield from self._read_ahead(batches, read)

    def _read_ahead(
        self, batches: Sequence[NDArray[np.int64]], read: Callable[[int], NDArray[Any]]
    ) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.num_threads, thread_name_prefix="decode") as threads:
            waiting: deque[tuple[NDArray[np.int64], list[Future[NDArray[Any]]]]] = deque()
            todo = iter(batches)
            try:
                while True:
                    while len(waiting) <= _BATCHES_AHEAD and (chosen := next(todo, None)) is not None:
                        waiting.append((chosen, [threads.submit(read, index) for index in chosen.tolist()]))
                    if not waiting:
                        return
                    chosen, reading = waiting.popleft()
                    yield self._to_device(chosen, [clip.result() for clip in reading])
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _to_device(self, chosen: NDArray[np.int64], read: list[NDArray[Any]]) -> Batch:
        clips = torch.from_numpy(np.stack(read))
        labels_B = torch.from_numpy(self.form.labels[self.rows[chosen]])
        if self.device.type == "cuda":
            clips, labels_B = clips.pin_memory(), labels_B.pin_memory()
        return Batch(clips.to(self.device, non_blocking=True), labels_B.to(self.device, non_blocking=True))
