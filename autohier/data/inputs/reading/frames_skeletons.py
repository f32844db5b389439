"""Reading of frames with joint coordinates of the same clip, for recognizers that read both.

Legend: B clips, C channels or coordinates, M persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.frames import FrameReading
from autohier.data.inputs.reading.skeletons import SkeletonReading

FRAMES: Final = "frames"
SKELETONS: Final = "skeletons"
"""Names of the parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesSkeletonsReading:
    """Clips as ``frames`` and ``skeletons``. Implements `ClipReading`.

    The frames of each part are sampled on their own, from one random state for both.
    """

    frees_interpreter: ClassVar[bool] = True

    frames: FrameReading
    skeletons: SkeletonReading

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.frames.labels

    @property
    def clip_shape(self) -> dict[str, tuple[int, ...]]:
        """[C, T, H, W] of the frames and [M, T, V, C] of the skeletons."""
        return {FRAMES: self.frames.clip_shape, SKELETONS: self.skeletons.clip_shape}

    def read_eval(self, row: int, set_index: int, num_sets: int) -> dict[str, NDArray[Any]]:
        """Read the frames and the skeletons of one test set."""
        return {
            FRAMES: self.frames.read_eval(row, set_index, num_sets),
            SKELETONS: self.skeletons.read_eval(row, set_index, num_sets),
        }

    def eval_arrays(
        self, clips: dict[str, NDArray[Any]], *, mirrored: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """Return float32 inputs by name: center crops of the frames, and the skeletons.

        ``mirrored`` mirrors both.
        """
        return {
            FRAMES: self.frames.eval_arrays(clips[FRAMES], mirrored=mirrored),
            SKELETONS: self.skeletons.eval_arrays(clips[SKELETONS], mirrored=mirrored),
        }
