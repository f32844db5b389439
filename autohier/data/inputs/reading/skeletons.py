"""Reading of clips as joint coordinates, for graph networks and temporal convolutions.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.reading.skeleton_frames import SkeletonFrames
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.skeletons import Stream, mirrored_joints, read_stream


@dataclass(frozen=True, slots=True)
class SkeletonReading(SkeletonFrames):
    """One frame per segment with all joints. Implements `ClipReading`.

    A clip is read as float32 [M, T, V, C]. Coordinates are in meters relative to the first person's body. For
    a planar layout they are image coordinates with scores.
    """

    stream: Stream

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
            clip_MTVC[: len(stream_MTVC)] = stream_MTVC
        return clip_MTVC
