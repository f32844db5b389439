"""Small folders of the published text skeletons of MSR-Action3D and UTKinect-Action3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.sources.tiny_datasets import body_joints, colour_pixels


def write_msr_clip(folder: Path, clip_id: str, *, num_frames: int = 6, in_space: bool = False) -> Path:
    """Write ``a01_s01_e01_skeleton.txt`` in pixels of 320x240, or ``..._skeleton3D.txt`` in meters."""
    folder.mkdir(parents=True, exist_ok=True)
    joints_TV3 = body_joints(num_frames)[:, :20]
    if not in_space:
        joints_TV3 = np.dstack((colour_pixels(joints_TV3) / 6, joints_TV3[..., 2]))
    path = folder / f"{clip_id}_skeleton{'3D' if in_space else ''}.txt"
    rows = np.dstack((joints_TV3, np.full(joints_TV3.shape[:2], 0.9))).reshape(-1, 4)
    np.savetxt(path, rows, fmt="%.6f")
    return path


def write_utkinect_take(folder: Path, take: str, frames: NDArray[np.int_], offset_m: float = 0.0) -> Path:
    """Write ``joints_s01_e01.txt`` with a row for each number of a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    joints_TV3 = body_joints(len(frames))[:, :20] + offset_m
    path = folder / f"joints_{take}.txt"
    np.savetxt(path, np.column_stack((frames, joints_TV3.reshape(len(frames), -1))), fmt="%g")
    return path
