"""Filming a performance: one camera's video and Kinect skeleton, as the bytes of NTU RGB+D files.

Legend: N people, T frames, V joints, H W pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.demo.body import LEAVES, NUM_JOINTS, PARENTS, Array
from autohier.data.datasets.demo.cameras import colour_pixels, depth_pixels

FRAME_RATE = 30
_X264 = {
    "preset": "ultrafast",
    "crf": "21",
    "threads": "1",
    "g": "600",
    "keyint_min": "600",
    "sc_threshold": "0",
}

_FIRST_BODY_ID = 72057594037931000
_JITTER_M, _INFERRED_JITTER_M = 0.006, 0.03
_LOST, _INFERRED, _TRACKED = 0, 1, 2
_LOST_SHARE, _INFERRED_SHARE = 0.004, 0.02
_EMPTY_FRAME_SHARE = 0.1  # of clips: one frame in which the tracker found nobody
_SWAP_SHARE = 0.02  # of frames: the tracker lists its bodies the other way round
_BODY_FORMAT = "\r\n".join([" ".join(["%.7g"] * 11 + ["%d"])] * NUM_JOINTS)


def encode_video(frames: Iterable[NDArray[np.uint8]]) -> bytes:
    """An .avi of H.264 at 30 fps from RGB frames ``[H, W, 3]``, with one keyframe as in NTU's."""
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = None
        for picture_HW3 in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=FRAME_RATE, options=_X264)
                stream.height, stream.width = picture_HW3.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = Fraction(1, FRAME_RATE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
    return file.getvalue()


def measure_bodies(positions_NTV3: Array, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """What the tracker makes of true joints in camera axes: jittered positions and tracking states.

    Returns:
        Positions ``[N, T, V, 3]`` in metres and states ``[N, T, V]``: 0 lost, 1 inferred, 2 tracked.
    """
    luck_NTV = rng.random(positions_NTV3.shape[:3])
    states_NTV = np.full(luck_NTV.shape, _TRACKED)
    states_NTV[luck_NTV < _LOST_SHARE + _INFERRED_SHARE] = _INFERRED
    states_NTV[luck_NTV < _LOST_SHARE] = _LOST
    jitter_NTV = np.where(states_NTV == _TRACKED, _JITTER_M, _INFERRED_JITTER_M)
    return positions_NTV3 + jitter_NTV[..., None] * rng.standard_normal(positions_NTV3.shape), states_NTV


def skeleton_text(positions_NTV3: Array, states_NTV: NDArray[np.int64], rng: np.random.Generator) -> str:
    """A .skeleton file (layout of shahroudy/NTURGB-D, ``read_skeleton_file.m``), with CRLF line ends.

    Joints that the tracker lost have NaN pixels. Now and then a frame lists the bodies in another order,
    or none at all.
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
    """The 12 numbers of every joint: x y z, depth pixel, colour pixel, quaternion, tracking state."""
    pixels = np.concatenate((depth_pixels(positions_NTV3), colour_pixels(positions_NTV3)), axis=-1)
    pixels[states_NTV == _LOST] = np.nan
    turns = _bone_quaternions(positions_NTV3)
    return np.concatenate((positions_NTV3, pixels, turns, states_NTV[..., None]), axis=-1)


def _bone_quaternions(positions_NTV3: Array) -> Array:
    """``w x y z`` of the shortest turn from the y axis to the bone that ends in a joint; 0 at leaves."""
    bones = positions_NTV3 - positions_NTV3[..., list(PARENTS), :]
    bones[..., 0, :] = (0.0, 1.0, 0.0)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(bones, -1, 0)
    turns: Array = np.stack((1.0 + y, z, np.zeros_like(y), -x), axis=-1)
    # A bone that points straight down has no shortest turn; the floor keeps its quaternion finite.
    turns /= np.maximum(np.linalg.norm(turns, axis=-1, keepdims=True), 1e-9)
    turns[..., sorted(LEAVES), :] = 0.0
    return turns
