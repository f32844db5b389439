"""Interface of a clip input: what recognizers of one kind read of a store's clips.

Legend: B clips.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.named import ClipBatch
from autohier.data.inputs.shapes import ClipArrays, ClipShape
from autohier.data.transforms.tensors.clip_random import ClipRandom


class ClipInput(Protocol):
    """Reads single clips of a store and turns batches of them into network inputs.

    The loader calls `read_train` or `read_eval` once per clip, possibly from several threads, stacks the
    arrays, moves the batch to the device, and passes it to `transform_train` or `transform_eval`. The arrays
    of all clips must have one shape and dtype. An input of several parts, e.g. frames and heatmaps of the
    same clip, reads and returns dicts with one entry per part, always with the same names.
    """

    @property
    def labels(self) -> NDArray[np.int64]:
        """0-based class of every row of the store."""

    @property
    def clip_shape(self) -> ClipShape:
        """Shape of one clip as the network reads it."""

    @property
    def frees_interpreter(self) -> bool:
        """True if reading mostly runs without Python's global lock, as decoding frames does."""

    def read_train(self, row: int, random: np.random.Generator) -> ClipArrays:
        """Read a clip for training, with randomly sampled frames. Must be safe to call from threads."""

    def read_eval(self, row: int, set_index: int, num_sets: int) -> ClipArrays:
        """Read a clip with the frames of one of ``num_sets`` evaluation sets; deterministic.

        Must be safe to call from threads.
        """

    def transform_train(self, clips: Any, random: ClipRandom) -> ClipBatch:  # noqa: ANN401
        """Turn a batch of `read_train` into network inputs ``[B, *clip_shape]``, with random augmentation.

        Args:
            clips: stacked clips on the device, a tensor or a dict of tensors, as they were read.
            random: samples the numbers of every clip.
        """

    def transform_eval(self, clips: Any, *, mirrored: bool = False) -> ClipBatch:  # noqa: ANN401
        """Turn a batch of `read_eval` into network inputs ``[B, *clip_shape]``; deterministic.

        Args:
            clips: stacked clips on the device.
            mirrored: True mirrors left and right.
        """
