"""What a PYSKL pickle holds: its annotations by clip, its lists, its labels and the layout of its joints.

It is one pickle for all clips, and may be gigabytes: one process reads it once, and workers are sent the
annotations of their own clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from autohier.data.datasets.listed import ListedClips, list_protocols
from autohier.data.datasets.pickles import load_plain
from autohier.data.datasets.poses import POSE_LAYOUTS
from autohier.data.datasets.pyskl_annotations import FORMAT, Annotation, is_name, plain, read_annotations
from autohier.data.skeleton import JointLayout
from autohier.errors import InputError, MissingDataError


@dataclass(frozen=True, slots=True)
class PoseFile:
    """A whole file.

    Attributes:
        annotations: by clip id; what has no id of its own is called ``annotation`` and its number.
        listed: its lists, and the protocols that follow from them.
        labels: all labels of the file, ascending; their order is that of the classes.
        layout: what the joints are.
    """

    annotations: Mapping[str, Annotation]
    listed: ListedClips
    labels: tuple[int, ...]
    layout: JointLayout


def read_pose_file(path: Path) -> PoseFile:
    """Read a file, or give what this process has read of it.

    Raises:
        MissingDataError: where there is no file, or no annotation with keypoints in it.
        InputError: where it is not what PYSKL reads.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise MissingDataError(
            "the source must be a pickle file", got=error, remedy="see --source"
        ) from error
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, _mtime_ns: int, _num_bytes: int) -> PoseFile:
    content = load_plain(path)
    if not isinstance(content, dict) or not {"split", "annotations"} <= content.keys():
        got = f"keys {list(content)[:5]}" if isinstance(content, dict) else type(content).__name__
        raise InputError("a PYSKL file must be a dict of split and annotations", got=got, remedy=FORMAT)
    annotations = read_annotations(content["annotations"])
    layout = _layout(annotations)
    ids = frozenset(clip_id for clip_id, annotation in annotations.items() if annotation.fault is None)
    labels = {annotation.label for annotation in annotations.values() if annotation.label is not None}
    if not labels:
        raise MissingDataError("a PYSKL file must hold a label", remedy=FORMAT)
    return PoseFile(annotations, list_protocols(_lists(content["split"]), ids), tuple(sorted(labels)), layout)


def _layout(annotations: Mapping[str, Annotation]) -> JointLayout:
    keypoints = (annotation.fields.get("keypoint") for annotation in annotations.values())
    shapes = [array.shape[2:] for array in keypoints if isinstance(array, np.ndarray) and array.ndim == 4]
    if not shapes:
        raise MissingDataError(
            "a PYSKL file must hold an annotation with a keypoint (persons, frames, joints, coordinates)",
            got=f"none in {len(annotations)}",
            remedy="files with raw_file, as for Kinetics, keep their keypoints elsewhere",
        )
    counts = Counter(shape for shape in shapes if shape in POSE_LAYOUTS)
    if not counts:
        raise InputError(
            "keypoints must be of 17 joints in 2 coordinates, or of 25 or 20 joints in 3",
            got=f"{shapes[0][0]} joints in {shapes[0][1]}",
        )
    return POSE_LAYOUTS[counts.most_common(1)[0][0]]


def _lists(split: object) -> dict[str, frozenset[str]]:
    if not isinstance(split, dict) or not all(is_name(name) for name in split):
        raise InputError("split of a PYSKL file must be a dict of lists by their names", remedy=FORMAT)
    lists = {}
    for name, listed in split.items():
        values = plain(listed)
        ids: Any = values.tolist() if isinstance(values, np.ndarray) else values
        if not isinstance(ids, list | tuple | set | frozenset) or not all(
            isinstance(one, str) for one in ids
        ):
            raise InputError(f"the list {name} of a PYSKL file must be of frame_dirs", remedy=FORMAT)
        lists[name] = frozenset(ids)
    return lists
