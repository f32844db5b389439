"""Common part of clip inputs that read skeletons: one frame per segment of a clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from autohier.data.inputs.stores import SkeletonStore
from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.joint_drop import drop_joints
from autohier.data.transforms.sampling import evaluation_positions, random_positions


@dataclass(frozen=True, slots=True)
class SkeletonFrames(ABC):
    """Reads one frame per segment. Implements the reading part of `ClipInput`."""

    frees_interpreter: ClassVar[bool] = False

    store: SkeletonStore
    layout: JointLayout
    num_frames: int = field(kw_only=True)
    num_persons: int = field(kw_only=True)
    frame_joint_drop: float = field(default=0.0, kw_only=True)
    """Probability with which each frame of a training clip loses a joint; see data.transforms.joint_drop."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.store.clips.label

    def read_train(self, row: int, random: np.random.Generator) -> NDArray[np.float32]:
        """Read a random frame per segment."""
        skeleton = self.store.skeleton(row)
        positions_T = self._random_positions(skeleton, random)
        if self.frame_joint_drop:
            skeleton = drop_joints(skeleton, self.frame_joint_drop, random)
        return self._read(skeleton, positions_T)

    def read_eval(self, row: int, set_index: int, num_sets: int) -> NDArray[np.float32]:
        """Read the frames of one frame set."""
        skeleton = self.store.skeleton(row)
        return self._read(skeleton, self._positions(skeleton, set_index, num_sets))

    def _random_positions(self, skeleton: Skeleton, random: np.random.Generator) -> NDArray[np.int64]:
        """Return the positions of the frames of a training clip."""
        positions_T: NDArray[np.int64] = random_positions(num_kept(skeleton), self.num_frames, random)[0]
        return positions_T

    def _positions(self, skeleton: Skeleton, set_index: int, num_sets: int) -> NDArray[np.int64]:
        """Return the positions of the frames of an evaluation set."""
        positions_BT = evaluation_positions(num_kept(skeleton), self.num_frames, set_index, num_sets)
        positions_T: NDArray[np.int64] = positions_BT[0]
        return positions_T

    @abstractmethod
    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the clip at some frames; zeros where there is no person or no frame."""


def num_kept(skeleton: Skeleton) -> NDArray[np.int64]:
    """Return the number of frames of a skeleton to sample from, at least 1, as an array of one clip."""
    return np.array([max(skeleton.num_frames, 1)])
