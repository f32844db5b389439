"""Contract of pose estimators, which find the persons of one frame after the other.

Legend: H W pixels, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout


@dataclass(frozen=True, slots=True, eq=False)
class FoundPerson:
    """One person in one frame."""

    joints_V2: NDArray[np.float32]
    """Joints in pixels of the frame, x to the right and y down; (0, 0) is the corner of its first pixel."""
    scores_V: NDArray[np.float32]
    """How surely each joint is seen there, in 0..1."""

    @property
    def score(self) -> float:
        """Mean score of the joints."""
        return float(self.scores_V.mean())


class PoseEstimator(Protocol):
    """Finds persons in the frames of a video, given in order."""

    @property
    def layout(self) -> JointLayout:
        """Layout of the V joints, in the image."""

    def start_video(self) -> None:
        """Forget the frames of an earlier video."""

    def find(self, frame_HW3: NDArray[np.uint8]) -> list[FoundPerson]:
        """Return the persons in the next frame, in any order; none if it shows no person.

        Args:
            frame_HW3: RGB picture.
        """
