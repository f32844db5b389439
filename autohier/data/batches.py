"""Batches of clips: decoded ahead by threads, shuffled and sampled from a seed alone.

Legend: B clips, T frames, H W pixels, C channels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autohier.data.preprocessing.sampling import segment_positions, set_offset

_BATCHES_AHEAD = 2


class Labelled(Protocol):
    """A table with a class for every row."""

    @property
    def label(self) -> NDArray[np.int64]:
        """0-based class of every row."""


class FrameStore(Protocol):
    """What batches are read from; see data.store.reader.ClipStore. Its methods may be called by threads."""

    @property
    def clips(self) -> Labelled:
        """What is known of every clip."""

    def num_kept(self, row: int) -> int:
        """Frames that the store holds of a clip."""

    def frames(self, row: int, positions: Sequence[int], *, size_px: int | None = None) -> NDArray[np.uint8]:
        """Decode frames of a clip: uint8 [T, H, W, C]."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips on the device."""

    clips_BTHWC: Tensor
    """uint8"""
    labels_B: Tensor
    """int64"""


@dataclass(frozen=True, slots=True)
class ClipBatches:
    """The clips of some rows, in batches; memory holds a few batches, whatever the number of rows."""

    store: FrameStore
    rows: NDArray[np.int64]
    batch_size: int
    num_frames: int
    resize_px: int | None
    device: torch.device
    num_threads: int = 1

    @property
    def num_training_batches(self) -> int:
        """Batches of an epoch, none larger than ``batch_size``."""
        return -(-len(self.rows) // self.batch_size)

    def training_epoch(self, seed: int) -> Iterator[Batch]:
        """Every row once, in an order and with segment offsets that follow from the seed.

        Batches differ by at most one clip in size: a short last batch would give batch norm poor statistics
        and its clips more weight than the others have.
        """
        random = np.random.default_rng(seed)
        order = random.permutation(len(self.rows))
        offsets = random.random(len(self.rows))
        yield from self._read(np.array_split(order, self.num_training_batches), offsets)

    def evaluation_set(self, set_index: int, num_sets: int) -> Iterator[Batch]:
        """Every row once, in order, with the frames of one of ``num_sets`` sets."""
        order = np.arange(len(self.rows))
        offsets = np.full(len(self.rows), set_offset(set_index, num_sets))
        yield from self._read(np.split(order, range(self.batch_size, len(order), self.batch_size)), offsets)

    def _read(self, batches: Sequence[NDArray[np.int64]], offsets: NDArray[np.float64]) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.num_threads, thread_name_prefix="decode") as threads:
            waiting: deque[tuple[NDArray[np.int64], list[Future[NDArray[np.uint8]]]]] = deque()
            todo = iter(batches)
            try:
                while True:
                    while len(waiting) <= _BATCHES_AHEAD and (chosen := next(todo, None)) is not None:
                        clips = [threads.submit(self._decode, index, offsets[index]) for index in chosen]
                        waiting.append((chosen, clips))
                    if not waiting:
                        return
                    yield self._to_device(*waiting.popleft())
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _decode(self, index: int, offset: float) -> NDArray[np.uint8]:
        row = int(self.rows[index])
        positions = segment_positions(self.store.num_kept(row), self.num_frames, offset)
        return self.store.frames(row, positions.tolist(), size_px=self.resize_px)

    def _to_device(self, chosen: NDArray[np.int64], clips: list[Future[NDArray[np.uint8]]]) -> Batch:
        clips_BTHWC = torch.from_numpy(np.stack([clip.result() for clip in clips]))
        labels_B = torch.from_numpy(self.store.clips.label[self.rows[chosen]])
        if self.device.type == "cuda":
            clips_BTHWC, labels_B = clips_BTHWC.pin_memory(), labels_B.pin_memory()
        return Batch(
            clips_BTHWC.to(self.device, non_blocking=True), labels_B.to(self.device, non_blocking=True)
        )
