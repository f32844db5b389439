"""Kinds of corruption: dropped joints, noise on joints, a lower frame rate, and occluded frames.

Shape letters: M persons, T frames, V joints, H W pixels, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from autohier.data.skeleton import Skeleton, present_joints
from autohier.data.transforms.joint_drop import drop_joints

Part = Literal["joints", "frames"]
"""Part of a clip that a corruption changes."""


class Corruption(Protocol):
    """Changes a clip; equal clips and random generators give equal results."""

    @property
    def parts(self) -> frozenset[Part]:
        """Parts of a clip that it changes; a network that reads none of them is not affected."""

    def positions(self, num_frames: int) -> NDArray[np.int64]:
        """Return the positions of the frames that stay, of frames or of a skeleton; ascending."""

    def change_skeleton(self, skeleton: Skeleton, random: np.random.Generator) -> Skeleton:
        """Return the changed skeleton, with all its frames."""

    def change_frames(self, frames_THWC: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Return the changed frames, in new memory or as they are."""


class _Unchanged:
    """Leaves everything as it is."""

    parts: ClassVar[frozenset[Part]] = frozenset()

    def positions(self, num_frames: int) -> NDArray[np.int64]:
        """See `Corruption.positions`."""
        return np.arange(num_frames)

    def change_skeleton(self, skeleton: Skeleton, random: np.random.Generator) -> Skeleton:  # noqa: ARG002
        """See `Corruption.change_skeleton`."""
        return skeleton

    def change_frames(
        self,
        frames_THWC: NDArray[np.uint8],
        random: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        """See `Corruption.change_frames`."""
        return frames_THWC


@dataclass(frozen=True, slots=True)
class JointDrop(_Unchanged):
    """One random joint of every person is absent in some frames. Implements `Corruption`."""

    parts: ClassVar[frozenset[Part]] = frozenset({"joints"})

    probability: float

    def change_skeleton(self, skeleton: Skeleton, random: np.random.Generator) -> Skeleton:
        """Drop joints; see data.transforms.joint_drop."""
        return drop_joints(skeleton, self.probability, random)


@dataclass(frozen=True, slots=True)
class JointNoise(_Unchanged):
    """Gaussian noise on the coordinates of all joints. Implements `Corruption`."""

    parts: ClassVar[frozenset[Part]] = frozenset({"joints"})

    share: float
    """Standard deviation along each axis, as a share of the person's size: the diagonal of the box around the
    joints in one frame, of which the median over frames counts."""

    def change_skeleton(self, skeleton: Skeleton, random: np.random.Generator) -> Skeleton:
        """Add noise to the joints in meters and, independently, to those in pixels."""
        return replace(
            skeleton,
            joints_MTV3_m=self._noisy(skeleton.joints_MTV3_m, skeleton.scores_MTV, random),
            pixels_MTV2=self._noisy(skeleton.pixels_MTV2, skeleton.scores_MTV, random),
        )

    def _noisy(
        self,
        places_MTVC: NDArray[np.float32],
        scores_MTV: NDArray[np.float32] | None,
        random: np.random.Generator,
    ) -> NDArray[np.float32]:
        noise_MTVC = random.standard_normal(places_MTVC.shape, dtype=np.float32)
        deviation_M = np.float32(self.share) * person_sizes(places_MTVC, scores_MTV)
        # Noise on the zeros of an absent joint would make it present.
        present_MTV1 = present_joints(places_MTVC, scores_MTV)[..., None]
        return np.where(
            present_MTV1, places_MTVC + noise_MTVC * deviation_M[:, None, None, None], places_MTVC
        )


@dataclass(frozen=True, slots=True)
class FrameRate(_Unchanged):
    """Only every k-th frame is there. Implements `Corruption`."""

    parts: ClassVar[frozenset[Part]] = frozenset({"joints", "frames"})

    every: int

    def positions(self, num_frames: int) -> NDArray[np.int64]:
        """Return every k-th position, from 0 on."""
        return np.arange(0, num_frames, self.every)


@dataclass(frozen=True, slots=True)
class Occlusion(_Unchanged):
    """A black square covers the same random place of all frames of a clip. Implements `Corruption`."""

    parts: ClassVar[frozenset[Part]] = frozenset({"frames"})

    area: float
    """Share of the frame that the square covers."""

    def change_frames(self, frames_THWC: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Return a copy with the square."""
        height, width = frames_THWC.shape[1:3]
        side_H, side_W = (max(1, round(math.sqrt(self.area) * side)) for side in (height, width))
        top, left = (
            int(random.random() * (length - side + 1)) for length, side in ((height, side_H), (width, side_W))
        )
        covered_THWC = frames_THWC.copy()
        covered_THWC[:, top : top + side_H, left : left + side_W] = 0
        return covered_THWC


def person_sizes(
    places_MTVC: NDArray[np.float32], scores_MTV: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the size of every person, in the unit of the places: [M]; 0 for one who is never present.

    It is the median over frames of the diagonal of the box around the present joints.
    """
    present_MTV1 = present_joints(places_MTVC, scores_MTV)[..., None]
    if not places_MTVC.size:
        return np.zeros(len(places_MTVC), dtype=np.float32)
    low_MTC = np.where(present_MTV1, places_MTVC, np.inf).min(axis=2)
    high_MTC = np.where(present_MTV1, places_MTVC, -np.inf).max(axis=2)
    sizes_M = np.zeros(len(places_MTVC), dtype=np.float32)
    for person in range(len(places_MTVC)):
        is_seen_T = np.isfinite(low_MTC[person]).all(axis=1)
        if is_seen_T.any():
            extents_TC = high_MTC[person, is_seen_T] - low_MTC[person, is_seen_T]
            sizes_M[person] = np.median(np.linalg.norm(extents_TC, axis=1))
    return sizes_M
