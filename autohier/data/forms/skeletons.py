"""Skeletons: clips as places of joints, for graph networks and temporal convolutions.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from autohier.data.forms.frames import Labelled
from autohier.data.preprocessing.sampling import draw_positions, take_positions
from autohier.data.preprocessing.skeletons import Stream, mirrored_joints, read_stream
from autohier.data.skeleton import JointLayout, Skeleton


class SkeletonStore(Protocol):
    """What skeletons are read from; see data.store.reader.ClipStore. Its methods may be called by threads."""

    @property
    def clips(self) -> Labelled:
        """What is known of every clip."""

    def skeleton(self, row: int) -> Skeleton:
        """The people of a clip."""


@dataclass(frozen=True, slots=True)
class SkeletonForm:
    """One frame of each equal part of a clip, all its joints. Implements data.forms.form.ClipForm.

    In metres about the first body; of a planar layout in the image, with scores, where augmentation keeps to
    the plane. Every stream is linear, so that it is turned, stretched and mirrored as its places would be.
    """

    frees_interpreter: ClassVar[bool] = False

    store: SkeletonStore
    layout: JointLayout
    stream: Stream
    num_frames: int
    num_persons: int
    rotation_degrees: float = 0.0
    """Clips are turned about each axis by at most this."""
    scaling: float = 0.0
    """Axes are stretched by at most this share."""
    joint_drop: float = 0.0
    """How often what a stream tells of a joint is taken away."""
    flip: bool = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """See `ClipForm.labels`."""
        return self.store.clips.label

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """[M, T, V, C]."""
        return (self.num_persons, self.num_frames, self.layout.num_joints, 3)

    def draw(self, row: int, random: np.random.Generator) -> NDArray[np.float32]:
        """float32 [M, T, V, C], of a random frame of every part."""
        skeleton = self.store.skeleton(row)
        num_kept_B = np.array([max(skeleton.num_frames, 1)])
        return self._read(skeleton, draw_positions(num_kept_B, self.num_frames, random)[0])

    def take(self, row: int, set_index: int, num_sets: int) -> NDArray[np.float32]:
        """float32 [M, T, V, C], of the set's frames."""
        skeleton = self.store.skeleton(row)
        num_kept_B = np.array([max(skeleton.num_frames, 1)])
        return self._read(skeleton, take_positions(num_kept_B, self.num_frames, set_index, num_sets)[0])

    def augment(self, clips: Tensor, generator: Generator) -> Tensor:
        """Turned, stretched and mirrored, and without some joints; float32 [B, M, T, V, C]."""
        num_clips, num_joints = len(clips), self.layout.num_joints
        matrices_BCC = self._random_maps(num_clips, generator).to(clips)
        mirrored = torch.rand(num_clips, generator=generator) < 0.5
        kept_BV = torch.rand(num_clips, num_joints, generator=generator) >= self.joint_drop
        if self.flip:
            other = torch.from_numpy(mirrored_joints(self.layout)).to(clips.device)
            # The column of x: the mirror is square to the shoulders, or upright in the image.
            matrices_BCC[mirrored.to(clips.device), :, 0] *= -1
            flags = mirrored.to(clips.device)[:, None, None, None, None]
            clips = torch.where(flags, clips[:, :, :, other], clips)
        clips = torch.einsum("bmtvc,bdc->bmtvd", clips, matrices_BCC)
        return clips * kept_BV[:, None, None, :, None].to(clips) if self.joint_drop else clips

    def present(self, clips: Tensor) -> Tensor:
        """As it was read: float32 [B, M, T, V, C]."""
        return clips

    def _read(self, skeleton: Skeleton, positions_T: NDArray[np.int64]) -> NDArray[np.float32]:
        clip_MTVC = np.zeros(self.clip_shape, dtype=np.float32)
        if skeleton.num_persons and skeleton.num_frames:
            shown_MTVC = read_stream(
                skeleton, self.layout, self.stream, num_persons=self.num_persons, positions_T=positions_T
            )
            clip_MTVC[: len(shown_MTVC)] = shown_MTVC
        return clip_MTVC

    def _random_maps(self, num_clips: int, generator: Generator) -> Tensor:
        """A random rotation and stretching of each clip, [B, C, C]; in the image about its middle alone."""
        either_2B3 = 2 * torch.rand(2, num_clips, 3, generator=generator) - 1
        turns_B3 = either_2B3[0] * math.radians(self.rotation_degrees)
        stretches_B3 = 1 + either_2B3[1] * self.scaling
        if self.layout.planar:
            turns_B3[:, :2] = 0
            stretches_B3[:, 2] = 1
        return _rotations(turns_B3) * stretches_B3[:, None, :]


def _rotations(turns_B3: Tensor) -> Tensor:
    """Rotations about x, then y, then z, by angles in radians: [B, 3, 3]."""
    cos_B3, sin_B3 = turns_B3.cos(), turns_B3.sin()
    total_B33 = torch.eye(3).expand(len(turns_B3), 3, 3)
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about_B33 = torch.eye(3).repeat(len(turns_B3), 1, 1)
        about_B33[:, first, first] = about_B33[:, second, second] = cos_B3[:, axis]
        about_B33[:, first, second] = -sin_B3[:, axis]
        about_B33[:, second, first] = sin_B3[:, axis]
        total_B33 = about_B33 @ total_B33
    return total_B33
