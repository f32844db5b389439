"""What a PYSKL pickle holds: its annotations by clip, its lists, its labels and the layout of its joints.

It is one pickle for all clips, and may be gigabytes: one process reads it once, and workers are sent the
annotations of their own clips.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, TypedDict

import numpy as np

from autohier.data.datasets.listed import ListedClips, list_protocols
from autohier.data.datasets.pickles import load_plain
from autohier.data.datasets.poses import POSE_LAYOUTS
from autohier.data.datasets.pyskl_annotations import FORMAT, Annotation, is_name, plain, read_annotations
from autohier.data.datasets.reader import Remark
from autohier.data.skeleton import JointLayout
from autohier.errors import InputError, MissingDataError


class _Told(TypedDict):
    got: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PoseFile:
    """A whole file.

    Attributes:
        annotations: by clip id; what has no id of its own is called ``annotation`` and its number.
        listed: its lists, and the protocols that follow from them.
        labels: all labels of the file, ascending; their order is that of the classes.
        layout: what the joints are.
        remarks: on its lists.
    """

    annotations: Mapping[str, Annotation]
    listed: ListedClips
    labels: tuple[int, ...]
    layout: JointLayout
    remarks: tuple[Remark, ...]


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
        fault = next(annotation.fault for annotation in annotations.values() if annotation.fault is not None)
        raise MissingDataError(
            f"a PYSKL file must hold a label that can be used: {fault.rule}",
            got=fault.got,
            remedy="number the classes",
        )
    lists = _lists(content["split"])
    remarks = _remark_strangers(lists, annotations.keys())
    listed = list_protocols(lists, ids)
    return PoseFile(annotations, listed, tuple(sorted(labels)), layout, (*remarks, *listed.remarks))


def _remark_strangers(lists: Mapping[str, frozenset[str]], clip_ids: Collection[str]) -> tuple[Remark, ...]:
    """A remark on listed ids that are no annotation's, where there are some.

    Raises:
        InputError: where all are.
    """
    named = frozenset[str]().union(*lists.values())
    strangers = sorted(named.difference(clip_ids))
    if not strangers:
        return ()
    first = strangers[0]
    text = (
        f"{len(strangers):,} of {len(named):,} listed ids name no annotation, e.g. {first!r}, to which "
        f"{_nearest(first, clip_ids)!r} is nearest"
    )
    remedy = "write into the lists what the annotations have for frame_dir"
    if len(strangers) == len(named):
        raise InputError(text, remedy=remedy)
    return (Remark(text, f"{remedy}, or leave it: such ids are passed over"),)


def _nearest(name: str, clip_ids: Collection[str]) -> str:
    """The id that differs in its folders and ending alone, or else the next one in their order."""
    stem = PurePath(name).stem.casefold()
    for clip_id in clip_ids:
        if stem in {clip_id.casefold(), PurePath(clip_id).stem.casefold()}:
            return clip_id
    order = sorted(clip_ids)
    return order[min(bisect_left(order, name), len(order) - 1)]


def _layout(annotations: Mapping[str, Annotation]) -> JointLayout:
    keypoints = [annotation.fields.get("keypoint") for annotation in annotations.values()]
    shapes = [array.shape[2:] for array in keypoints if isinstance(array, np.ndarray) and array.ndim == 4]
    if not shapes:
        raise MissingDataError(
            "a PYSKL file must hold an annotation with a keypoint (persons, frames, joints, coordinates)",
            **_told_instead(keypoints),
        )
    counts = Counter(shape for shape in shapes if shape in POSE_LAYOUTS)
    if not counts:
        raise InputError(
            "keypoints must be of 17 joints in 2 coordinates, or of 25 or 20 joints in 3",
            got=f"{shapes[0][0]} joints in {shapes[0][1]}",
        )
    return POSE_LAYOUTS[counts.most_common(1)[0][0]]


def _told_instead(keypoints: Sequence[object]) -> _Told:
    """What a file has where none of its keypoints is of four axes, and what to do about it."""
    found = next((value for value in keypoints if value is not None), None)
    if isinstance(found, np.ndarray):
        mend = "give it an axis of persons: keypoint[None]" if found.ndim == 3 else FORMAT
        return {"got": f"an array of shape {found.shape}", "remedy": mend}
    if found is not None:
        return {"got": f"a {type(found).__name__}", "remedy": "write it as a NumPy array of numbers"}
    return {
        "got": f"none in {len(keypoints)}",
        "remedy": "files with raw_file, as for Kinetics, keep their keypoints elsewhere",
    }


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
