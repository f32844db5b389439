"""Dropping joints frame by frame, in training and in tests of robustness.

Shape letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autohier.data.skeleton import Skeleton


def drop_joints(skeleton: Skeleton, probability: float, random: np.random.Generator) -> Skeleton:
    """Remove one random joint of a person in some frames (PoseConv3D, CVPR 2022, section 4.2).

    In each frame, independently for each person, one of the V joints is removed with the given probability,
    all equally likely. A removed joint is absent: a graph network reads zeros for it and for the bones and
    motions derived from it, and its heatmap is empty.

    Args:
        skeleton: the skeleton, which stays unchanged.
        probability: in 0..1.
        random: generator; 2 M T numbers are taken from it.
    """
    shape_MT = (skeleton.num_persons, skeleton.num_frames)
    num_joints = skeleton.joints_MTV3_m.shape[2]
    is_hit_MT = random.random(shape_MT) < probability
    joint_MT = random.integers(num_joints, size=shape_MT)
    dropped_MTV = is_hit_MT[..., None] & (joint_MT[..., None] == np.arange(num_joints))
    scores_MTV = skeleton.scores_MTV
    return replace(
        skeleton,
        joints_MTV3_m=np.where(dropped_MTV[..., None], np.float32(np.nan), skeleton.joints_MTV3_m),
        pixels_MTV2=np.where(dropped_MTV[..., None], np.float32(np.nan), skeleton.pixels_MTV2),
        scores_MTV=None if scores_MTV is None else np.where(dropped_MTV, np.float32(0), scores_MTV),
    )
