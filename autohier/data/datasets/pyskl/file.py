"""A PYSKL pickle: its annotations by clip, its lists, its labels and the layout of its joints.

One pickle contains all clips and may have gigabytes. The main process reads it once, and sends the
annotations of their clips to worker processes.
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

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.common.split_lists import ListedClips, list_protocols
from autohier.data.datasets.pyskl.annotations import FORMAT, Annotation, is_name, plain, read_annotations
from autohier.data.formats.safe_pickle import load_plain
from autohier.data.names import composed
from autohier.errors import InputError, MissingDataError


class _GotHint(TypedDict):
    got: str
    hint: str


@dataclass(frozen=True, slots=True)
class PoseFile:
    """Content of a PYSKL pickle.

    Attributes:
        annotations: by clip id; an annotation without a unique id gets the id ``annotation N``.
        listed: the file's lists of clips, and the protocols that follow from them; None if it has no lists.
        labels: all labels in the file, in the order of the classes.
        joint_shapes: all V and C of the keypoints, the most frequent first.
        warnings: problems in the lists.
    """

    annotations: Mapping[str, Annotation]
    listed: ListedClips | None
    labels: tuple[int, ...]
    joint_shapes: tuple[tuple[int, int], ...]
    warnings: tuple[DatasetWarning, ...]


def read_pose_file(path: Path) -> PoseFile:
    """Read a file, or return the cached content if this process read it last.

    Raises:
        MissingDataError: if the file does not exist, or contains no annotation with keypoints.
        InputError: if it is not in PYSKL's format.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise MissingDataError("the source must be a pickle file", got=error, hint="see --source") from error
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, _mtime_ns: int, _num_bytes: int) -> PoseFile:
    content = load_plain(path)
    if not isinstance(content, dict) or "annotations" not in content:
        got = f"keys {list(content)[:5]}" if isinstance(content, dict) else type(content).__name__
        raise InputError("a PYSKL file must be a dict of annotations and split", got=got, hint=FORMAT)
    annotations = read_annotations(content["annotations"])
    joint_shapes = _joint_shapes(annotations)
    ids = frozenset(clip_id for clip_id, annotation in annotations.items() if annotation.fault is None)
    labels = {annotation.label for annotation in annotations.values() if annotation.label is not None}
    if not labels:
        fault = next(annotation.fault for annotation in annotations.values() if annotation.fault is not None)
        raise MissingDataError(
            f"a PYSKL file must contain a usable label: {fault.rule}",
            got=fault.got,
            hint="number the classes",
        )
    listed: ListedClips | None = None
    warnings: tuple[DatasetWarning, ...] = ()
    if lists := _lists({} if (split := content.get("split")) is None else split):
        listed = list_protocols(lists, ids)
        warnings = (*_warn_unknown_ids(lists, annotations.keys()), *listed.warnings)
    return PoseFile(annotations, listed, tuple(sorted(labels)), joint_shapes, warnings)


def _warn_unknown_ids(
    lists: Mapping[str, frozenset[str]], clip_ids: Collection[str]
) -> tuple[DatasetWarning, ...]:
    """Warn about listed ids without an annotation.

    Raises:
        InputError: if no listed id has an annotation.
    """
    named = frozenset[str]().union(*lists.values())
    unknown = sorted(named.difference(clip_ids))
    if not unknown:
        return ()
    first = unknown[0]
    text = (
        f"{len(unknown):,} of {len(named):,} listed ids have no annotation, e.g. {first!r}; the nearest "
        f"annotation is {_nearest(first, clip_ids)!r}"
    )
    hint = "use the frame_dir of annotations in the lists"
    if len(unknown) == len(named):
        raise InputError(text, hint=hint)
    return (DatasetWarning(text, f"{hint}; other ids are skipped"),)


def _nearest(name: str, clip_ids: Collection[str]) -> str:
    """Return the id that differs only in folders and ending, or else the next one in sorted order."""
    stem = PurePath(name).stem.casefold()
    for clip_id in clip_ids:
        if stem in {clip_id.casefold(), PurePath(clip_id).stem.casefold()}:
            return clip_id
    order = sorted(clip_ids)
    return order[min(bisect_left(order, name), len(order) - 1)]


def _joint_shapes(annotations: Mapping[str, Annotation]) -> tuple[tuple[int, int], ...]:
    """Return the distinct (joints, coordinates) of keypoint arrays, the most frequent first."""
    keypoints = [annotation.fields.get("keypoint") for annotation in annotations.values()]
    shapes = [array.shape[2:] for array in keypoints if isinstance(array, np.ndarray) and array.ndim == 4]
    if not shapes:
        raise MissingDataError(
            "a PYSKL file must contain an annotation with a keypoint (persons, frames, joints, coordinates)",
            **_explain_keypoints(keypoints),
        )
    return tuple(shape for shape, _ in Counter(shapes).most_common())


def _explain_keypoints(keypoints: Sequence[object]) -> _GotHint:
    """Return the value and the hint of the error if no keypoint has four axes."""
    first = next((value for value in keypoints if value is not None), None)
    if isinstance(first, np.ndarray):
        hint = "add an axis of persons: keypoint[None]" if first.ndim == 3 else FORMAT
        return {"got": f"an array of shape {first.shape}", "hint": hint}
    if first is not None:
        return {"got": f"a {type(first).__name__}", "hint": "write it as a NumPy array of numbers"}
    return {
        "got": f"none in {len(keypoints)}",
        "hint": "files with raw_file, as for Kinetics, have their keypoints in other files",
    }


def _lists(split: object) -> dict[str, frozenset[str]]:
    if not isinstance(split, dict) or not all(is_name(name) for name in split):
        raise InputError("split of a PYSKL file must be a dict of lists", hint=FORMAT)
    lists: dict[str, frozenset[str]] = {}
    for name, listed in split.items():
        values = plain(listed)
        ids: Any = values.tolist() if isinstance(values, np.ndarray) else values
        if not isinstance(ids, list | tuple | set | frozenset) or not all(
            isinstance(one, str) for one in ids
        ):
            raise InputError(f"the list {name} of a PYSKL file must contain frame_dirs", hint=FORMAT)
        lists[composed(name)] = lists.get(composed(name), frozenset()) | frozenset(map(composed, ids))
    return lists
