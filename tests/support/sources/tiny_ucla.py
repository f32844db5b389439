"""Small files in the layouts of N-UCLA: folders of frames, videos, and skeletons in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from support.sources.tiny_datasets import body_joints, numbered_frames, write_video

SIZE_PX = (64, 48)  # a tenth of 640x480, to which the pixels of skeletons refer
LABELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7, 9: 8, 11: 9, 12: 10}


def frame_text(bodies_MV3: NDArray[np.float64]) -> str:
    """Return the skeletons.txt of one frame."""
    lines = [str(len(bodies_MV3))]
    lines += [f"{x},{y},{z},2" for body_V3 in bodies_MV3 for x, y, z in body_V3]
    return "\n".join(lines) + "\n"


def frame_path(folder: Path, number: int, ending: str) -> Path:
    """Return the path of one frame's file; frames are 33 ms apart, and the first time is not 0."""
    return folder / f"frame_{number}_tc_{5_000_000 + 333_333 * number}_{ending}"


def write_ucla_frames(folder: Path, clip_id: str, *, num_frames: int = 6) -> Path:
    """Write a clip in the raw layout: a folder of images, depth and skeletons, numbered from 1."""
    clip, view = clip_id.rsplit("_v", 1)
    clip_folder = folder / f"view_{int(view)}" / clip
    clip_folder.mkdir(parents=True)
    joints_TV3 = body_joints(num_frames)[:, :20]
    for index, frame in enumerate(numbered_frames(num_frames, *SIZE_PX)):
        Image.fromarray(frame).save(frame_path(clip_folder, index + 1, "rgb.jpg"))
        frame_path(clip_folder, index + 1, "depth.png").write_bytes(b"not read")
        frame_path(clip_folder, index + 1, "skeletons.txt").write_text(frame_text(joints_TV3[index, None]))
    return clip_folder


def write_ucla_json(folder: Path, clip_id: str, *, num_frames: int = 6) -> Path:
    """Write the skeletons of a clip in JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{clip_id}.json"
    content = {
        "file_name": clip_id,
        "skeletons": body_joints(num_frames)[:, :20].tolist(),
        "label": LABELS[int(clip_id[1:3])],
    }
    path.write_text(json.dumps(content))
    return path


def write_ucla_video(folder: Path, clip_id: str, *, num_frames: int = 6) -> None:
    """Write a clip as a video in a folder of its action, and its skeletons as JSON in another folder."""
    action, subject, replication, view = clip_id.split("_")
    (folder / action).mkdir(parents=True, exist_ok=True)
    write_video(
        folder / action / f"{view}_{subject}_{replication}.avi", numbered_frames(num_frames, *SIZE_PX)
    )
    write_ucla_json(folder / "all_sqe", clip_id, num_frames=num_frames)
