"""Skeleton input: clips as joint coordinates, for graph networks and temporal convolutions.

Legend: B clips, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autohier.data.inputs.reading.skeletons import SkeletonReading
from autohier.data.transforms.skeletons import mirrored_joints
from autohier.data.transforms.tensors.clip_random import ClipRandom


@dataclass(frozen=True, slots=True)
class SkeletonInput(SkeletonReading):
    """One frame per segment with all joints. Implements `ClipInput`.

    A clip is read as float32 [M, T, V, C]. Coordinates are in meters relative to the first person's body. For
    a planar layout they are image coordinates with scores, and augmentation stays in the image plane. Every
    stream is a linear map of joint positions, so rotating, scaling and mirroring a stream equals doing so to
    the positions.
    """

    rotation_degrees: float = 0.0
    """Largest random rotation about each axis."""
    scaling: float = 0.0
    """Largest random relative change of scale along each axis."""
    joint_drop: float = 0.0
    """Probability that a joint is set to zero in all frames of a clip."""
    flip: bool = False

    def transform_train(self, clips: Tensor, random: ClipRandom) -> Tensor:
        """Rotate, scale and mirror clips at random and drop joints: float32 [B, M, T, V, C]."""
        return self.augment(clips, random)

    def augment(self, clips: Tensor, random: ClipRandom, *, mirrored_B: Tensor | None = None) -> Tensor:
        """Augment clips like `transform_train`.

        Args:
            clips: float32 [B, M, T, V, C].
            random: samples the numbers of every clip.
            mirrored_B: bool, the clips to mirror, e.g. those whose frames are; None samples half of them if
                ``flip``.
        """
        num_joints = self.layout.num_joints
        matrices_BCC = self._sample_matrices(random).to(clips)
        sampled_B = random.uniform() < 0.5
        kept_BV = random.uniform(num_joints) >= self.joint_drop
        if self.flip or mirrored_B is not None:
            flags_B = (sampled_B if mirrored_B is None else mirrored_B).to(clips.device)
            other = torch.from_numpy(mirrored_joints(self.layout)).to(clips.device)
            # Negating the column of x mirrors left and right.
            matrices_BCC[flags_B, :, 0] *= -1
            flags = flags_B[:, None, None, None, None]
            clips = torch.where(flags, clips[:, :, :, other], clips)
        clips = torch.einsum("bmtvc,bdc->bmtvd", clips, matrices_BCC)
        return clips * kept_BV[:, None, None, :, None].to(clips) if self.joint_drop else clips

    def transform_eval(self, clips: Tensor, *, mirrored: bool = False) -> Tensor:
        """Return the clips, unchanged unless mirrored: float32 [B, M, T, V, C]."""
        if not mirrored:
            return clips
        other = torch.from_numpy(mirrored_joints(self.layout)).to(clips.device)
        # Negating the column of x mirrors left and right.
        return clips[:, :, :, other] * clips.new_tensor([-1.0, 1.0, 1.0])

    def _sample_matrices(self, random: ClipRandom) -> Tensor:
        """Sample a rotation and scaling per clip, [B, C, C]; for a planar layout within the image plane."""
        uniform_2B3 = 2 * random.uniform_sets(2, 3) - 1
        angles_B3 = uniform_2B3[0] * math.radians(self.rotation_degrees)
        scales_B3 = 1 + uniform_2B3[1] * self.scaling
        if self.layout.planar:
            angles_B3[:, :2] = 0
            scales_B3[:, 2] = 1
        return _rotations(angles_B3) * scales_B3[:, None, :]


def _rotations(angles_B3: Tensor) -> Tensor:
    """Return rotations about x, then y, then z, by angles in radians: [B, 3, 3]."""
    cos_B3, sin_B3 = angles_B3.cos(), angles_B3.sin()
    total_B33 = torch.eye(3).expand(len(angles_B3), 3, 3)
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about_B33 = torch.eye(3).repeat(len(angles_B3), 1, 1)
        about_B33[:, first, first] = about_B33[:, second, second] = cos_B3[:, axis]
        about_B33[:, first, second] = -sin_B3[:, axis]
        about_B33[:, second, first] = sin_B3[:, axis]
        total_B33 = about_B33 @ total_B33
    return total_B33
