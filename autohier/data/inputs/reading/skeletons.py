"""Reading of clips as joint coordinates, for graph networks and temporal convolutions.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.skeleton_frames import SkeletonFrames
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.sampling import row_positions
from autohier.data.transforms.skeletons import Stream, mirrored_joints, read_stream


@dataclass(frozen=True, slots=True)
class SkeletonReading(SkeletonFrames):
    """One frame per segment, or the first frames, with all joints. Implements `ClipReading`.

    A clip is read as float32 [M, T, V, C]. Coordinates are in meters relative to the first person's body. For
    a planar layout they are image coordinates with scores.
    """

    stream: Stream
    sampling: Literal["segments", "padded", "repeated"] = "segments"
    """Frames of a clip: one per segment, or the first ones, with zeros or themselves behind them."""

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[M, T, V, C]."""
        return (self.num_persons, self.num_frames, self.layout.num_joints, 3)

    def eval_arrays(self, clips: NDArray[np.float32], *, mirrored: bool = False) -> NDArray[np.float32]:
        """Return the clips, unchanged unless mirrored: float32 [B, M, T, V, C]."""
        if not mirrored:
            return clips
        # Negating the column of x mirrors left and right.
        return clips[:, :, :, mirrored_joints(self.layout)] * np.array([-1, 1, 1], dtype=np.float32)

    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        clip_MTVC = np.zeros(self.clip_shape, dtype=np.float32)
        if skeleton.num_persons and skeleton.num_frames:
            stream_MTVC = read_stream(
                skeleton, self.layout, self.stream, num_persons=self.num_persons, positions_T=positions_T
            )
            clip_MTVC[: len(stream_MTVC), : len(positions_T)] = stream_MTVC
        return clip_MTVC

    def _random_positions(self, skeleton: Skeleton, random: np.random.Generator) -> NDArray[np.int64]:
        if self.sampling != "segments":
            return self._first_positions(skeleton)
        return super(SkeletonReading, self)._random_positions(skeleton, random)

    def _positions(self, skeleton: Skeleton, set_index: int, num_sets: int) -> NDArray[np.int64]:
        if self.sampling != "segments":
            return self._first_positions(skeleton)
        return super(SkeletonReading, self)._positions(skeleton, set_index, num_sets)

    def _first_positions(self, skeleton: Skeleton) -> NDArray[np.int64]:
        if self.sampling == "repeated":
            return row_positions(max(skeleton.num_frames, 1), self.num_frames, 0.0)
        return np.arange(min(skeleton.num_frames, self.num_frames), dtype=np.int64)
