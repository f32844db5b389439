"""Small pickles in PYSKL's format, as PYSKL and MMCV write them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from autohier.data.datasets.pyskl.reader import PysklReader
from autohier.data.datasets.registry import open_dataset
from support.sources.tiny_datasets import body_joints, colour_pixels

SPLIT = {"xsub_train": ["a", "b"], "xsub_val": ["c"]}
"""Lists of a file with the clips a, b and c."""


def annotation(frame_dir: str, label: int, *, num_frames: int = 6, num_joints: int = 17) -> dict[str, Any]:
    """Return one entry, exact in float16: 17 joints in pixels of 1920x1080, others in meters."""
    joints_TV3 = body_joints(num_frames)[:, :num_joints]
    entry: dict[str, Any] = {"frame_dir": frame_dir, "label": label, "total_frames": num_frames}
    if num_joints != 17:
        return entry | {"keypoint": joints_TV3[None].astype(np.float16)}
    return entry | {
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "keypoint": colour_pixels(joints_TV3)[None].astype(np.float16),
        "keypoint_score": np.full((1, num_frames, 17), 0.75, dtype=np.float16),
    }


def write_pyskl(
    path: Path, annotations: Any, split: Any, *, protocol: int = pickle.HIGHEST_PROTOCOL, **more: Any
) -> Path:
    """Write a file, possibly with invalid content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"split": split, "annotations": annotations, **more}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def add_to_pyskl(path: Path, clip_id: str) -> None:
    """Add a clip to a file, with labels 1, 2, 3 in turn, alternately in the training and the test list."""
    content = pickle.loads(path.read_bytes()) if path.exists() else {"split": {}, "annotations": []}
    number = len(content["annotations"])
    content["annotations"].append(annotation(clip_id, 1 + number % 3))
    content["split"].setdefault(("xsub_train", "xsub_val")[number % 2], []).append(clip_id)
    write_pyskl(path, **content)


def open_pyskl(path: Path) -> PysklReader:
    """Return the reader of a file."""
    reader = open_dataset("pyskl", source=path)
    assert isinstance(reader, PysklReader)
    return reader
