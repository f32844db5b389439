"""Digest of decoded content: skeletons that differ in their bytes but show the same movement."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from autohier.data.skeleton import Skeleton

_JOINT_DECIMALS = 4  # a tenth of a millimeter, below the noise of every sensor
_PIXEL_DECIMALS = 2


def skeleton_content(skeleton: Skeleton) -> str:
    """Return a digest of a skeleton's rounded joints; empty if no joint is present.

    Files that store one recording with other digits, or in another format, have the same digest. Joints in
    meters decide alone if there are any, since pixels may follow from them.

    Args:
        skeleton: joints in meters ``[M, T, V, 3]`` and in pixels ``[M, T, V, 2]``; absent ones are NaN.
    """
    for values, decimals in (
        (skeleton.joints_MTV3_m, _JOINT_DECIMALS),
        (skeleton.pixels_MTV2, _PIXEL_DECIMALS),
    ):
        if not np.isnan(values).all():
            rounded = np.round(values.astype(np.float64), decimals) + 0.0  # makes -0 the same as 0
            state = sha256(str(values.shape).encode())
            state.update(np.nan_to_num(rounded, nan=np.inf).tobytes())
            return state.hexdigest()
    return ""
