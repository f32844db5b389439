"""Frames that a player shows of a video: their number, their times, and the decoded frame behind each.

Shape letters: N shown frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Frames of a video, or of a span of it, in the order in which they are shown.

    Attributes:
        sources_N: int64 number of the decoded frame behind each; a frame that is shown again repeats it.
        bounds_s_N1: float64 start of each frame and the end of the last, in seconds since the first; None if
            the file holds no times, so that its frames are equally long.
        first_pts: time stamp of the decoded frame of number 0, if the decoder starts before it; else None.
        is_cut: True if the video starts between keyframes: damage before the first whole frame is skipped.
    """

    sources_N: NDArray[np.int64]
    bounds_s_N1: NDArray[np.float64] | None = None
    first_pts: int | None = None
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.sources_N)
