"""What a form of clips is: what recognizers of one kind read of a store's clips.

Legend: B clips.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor


class ClipForm(Protocol):
    """Reads clips one by one, in threads, and makes batches of them ready for a network, on the device."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """0-based class of every row of the store."""

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """What a network reads of one clip."""

    @property
    def frees_interpreter(self) -> bool:
        """Whether reading leaves Python's interpreter to other threads, as decoding frames does."""

    def draw(self, row: int, random: np.random.Generator) -> NDArray[Any]:
        """A clip for training; arrays of all clips have one shape. May be called by threads."""

    def take(self, row: int, set_index: int, num_sets: int) -> NDArray[Any]:
        """The same with the frames of one of several evaluation sets, which follow from it alone."""

    def augment(self, clips: Tensor, generator: Generator) -> Tensor:
        """What a network reads of a batch of drawn clips: ``[B, *clip_shape]``, changed at random.

        Args:
            clips: drawn clips, on the device.
            generator: of the CPU, so that every device draws the same.
        """

    def present(self, clips: Tensor) -> Tensor:
        """The same of a batch of an evaluation set, with nothing left to chance."""
