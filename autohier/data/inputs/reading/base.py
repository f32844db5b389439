"""Interface of the part of a clip input that needs no torch: reading clips, and evaluation on arrays.

Legend: B clips.
"""

from __future__ import annotations

from typing import Any, Protocol

from autohier.data.inputs.shapes import ClipArrays, ClipShape


class ClipReading(Protocol):
    """Reads single clips of a store and turns batches of them into network inputs for evaluation.

    Every `ClipInput` is one. `eval_arrays` follows the rules of `ClipInput.transform_eval`, up to rounding.
    """

    @property
    def clip_shape(self) -> ClipShape:
        """Shape of one clip as the network reads it."""

    @property
    def frees_interpreter(self) -> bool:
        """True if reading mostly runs without Python's global lock, as decoding frames does."""

    def read_eval(self, row: int, set_index: int, num_sets: int) -> ClipArrays:
        """Read a clip with the frames of one of ``num_sets`` evaluation sets; deterministic.

        Must be safe to call from threads.
        """

    def eval_arrays(self, clips: Any, *, mirrored: bool = False) -> ClipArrays:  # noqa: ANN401
        """Turn a batch of `read_eval` into network inputs ``[B, *clip_shape]``; deterministic.

        Args:
            clips: stacked clips, an array or a dict of arrays.
            mirrored: True mirrors left and right.
        """
