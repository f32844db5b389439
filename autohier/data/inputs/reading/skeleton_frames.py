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
from autohier.data.transforms.sampling import evaluation_positions, random_positions


@dataclass(frozen=True, slots=True)
class SkeletonFrames(ABC):
    """Reads one frame per segment. Implements the reading part of `ClipInput`."""

    frees_interpreter: ClassVar[bool] = False

    store: SkeletonStore
    layout: JointLayout
    num_frames: int = field(kw_only=True)
    num_persons: int = field(kw_only=True)

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipInput.labels`."""
        return self.store.clips.label

    def read_train(self, row: int, random: np.random.Generator) -> NDArray[np.float32]:
        """Read a random frame per segment."""
        skeleton = self.store.skeleton(row)
        return self._read(skeleton, random_positions(_num_kept(skeleton), self.num_frames, random)[0])

    def read_eval(self, row: int, set_index: int, num_sets: int) -> NDArray[np.float32]:
        """Read the set's frames."""
        skeleton = self.store.skeleton(row)
        positions_BT = evaluation_positions(_num_kept(skeleton), self.num_frames, set_index, num_sets)
        return self._read(skeleton, positions_BT[0])

    @abstractmethod
    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the clip at some frames; zeros where there is no person or no frame."""


def _num_kept(skeleton: Skeleton) -> NDArray[np.int64]:
    return np.array([max(skeleton.num_frames, 1)])
