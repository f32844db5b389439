"""Simulated Kinect tracker: the skeleton file of one camera, in the format of NTU RGB+D.

Shape letters: N persons, T frames, V joints, H W pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.demo.body import LEAVES, NUM_JOINTS, PARENTS, Array
from autohier.data.datasets.demo.cameras import colour_pixels, depth_pixels

FRAME_RATE = 30
_FIRST_BODY_ID = 72057594037931000
_JITTER_M, _INFERRED_JITTER_M = 0.006, 0.03
_LOST, _INFERRED, _TRACKED = 0, 1, 2
_LOST_SHARE, _INFERRED_SHARE = 0.004, 0.02
_EMPTY_FRAME_SHARE = 0.1  # share of clips with one frame without a body
_SWAP_SHARE = 0.02  # share of frames that list the bodies in reverse order
_BODY_FORMAT = "\r\n".join([" ".join(["%.7g"] * 11 + ["%d"])] * NUM_JOINTS)


def measure_bodies(positions_NTV3: Array, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Simulate the tracker on true joints in camera axes: add jitter, and sample tracking states.

    Rerotations:
        Positions ``[N, T, V, 3]`` in meters and states ``[N, T, V]``: 0 lost, 1 inferred, 2 tracked.
    """
    sample_NTV = rng.random(positions_NTV3.shape[:3])
    states_NTV = np.full(sample_NTV.shape, _TRACKED)
    states_NTV[sample_NTV < _LOST_SHARE + _INFERRED_SHARE] = _INFERRED
    states_NTV[sample_NTV < _LOST_SHARE] = _LOST
    jitter_NTV = np.where(states_NTV == _TRACKED, _JITTER_M, _INFERRED_JITTER_M)
    return positions_NTV3 + jitter_NTV[..., None] * rng.standard_normal(positions_NTV3.shape), states_NTV


def skeleton_text(positions_NTV3: Array, states_NTV: NDArray[np.int64], rng: np.random.Generator) -> str:
    """Return a .skeleton file (format of shahroudy/NTURGB-D, ``read_skeleton_file.m``), with CRLF line ends.

    Lost joints have NaN pixels. A few frames list the bodies in reverse order, and some clips have a frame
    without bodies.
    """
    num_bodies, num_frames = positions_NTV3.shape[:2]
    body_ids = _FIRST_BODY_ID + rng.permutation(7000)[:num_bodies]
    rows_NTV = _joint_rows(positions_NTV3, states_NTV)
    empty = int(rng.integers(num_frames)) if rng.random() < _EMPTY_FRAME_SHARE else -1
    swapped = np.flatnonzero(rng.random(num_frames) < _SWAP_SHARE)
    lines = [str(num_frames)]
    for t in range(num_frames):
        order = [] if t == empty else list(range(num_bodies))
        lines.append(str(len(order)))
        for n in reversed(order) if t in swapped else order:
            lines.append(f"{body_ids[n]} 0 1 1 1 1 0 0 0 {_TRACKED}")
            lines.append(str(NUM_JOINTS))
            lines.append(_BODY_FORMAT % tuple(rows_NTV[n, t].ravel().tolist()))
    return "\r\n".join(lines) + "\r\n"


def _joint_rows(positions_NTV3: Array, states_NTV: NDArray[np.int64]) -> Array:
    """Return the 12 numbers of every joint: x y z, depth pixel, RGB pixel, quaternion, tracking state."""
    pixels = np.concatenate((depth_pixels(positions_NTV3), colour_pixels(positions_NTV3)), axis=-1)
    pixels[states_NTV == _LOST] = np.nan
    rotations = _bone_quaternions(positions_NTV3)
    return np.concatenate((positions_NTV3, pixels, rotations, states_NTV[..., None]), axis=-1)


def _bone_quaternions(positions_NTV3: Array) -> Array:
    """Return ``w x y z`` of the shortest rotation from the y axis to the bone of a joint; 0 at leaves."""
    bones = positions_NTV3 - positions_NTV3[..., list(PARENTS), :]
    bones[..., 0, :] = (0.0, 1.0, 0.0)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(bones, -1, 0)
    rotations: Array = np.stack((1.0 + y, z, np.zeros_like(y), -x), axis=-1)
    # A bone that points straight down has no shortest rotation; the minimum keeps its quaternion finite.
    rotations /= np.maximum(np.linalg.norm(rotations, axis=-1, keepdims=True), 1e-9)
    rotations[..., sorted(LEAVES), :] = 0.0
    return rotations
