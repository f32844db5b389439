"""A prepared store's skeletons and lists in the pickle that PYSKL and MMAction2 read.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.poses import pose_channels
from autohier.data.protocols import Protocol
from autohier.data.skeleton import KINECT_V1_20, KINECT_V1_20_UTD, LAYOUTS, Skeleton
from autohier.data.store.reader import ClipStore, ClipTable
from autohier.errors import InputError, MissingDataError
from autohier.files import open_atomically

_PICKLE_PROTOCOL: Final = 4  # the newest that the Python versions in which PYSKL runs can all read
_PYSKL_NAMES: Final = {"cross-subject": "xsub", "cross-view": "xview", "cross-setup": "xset"}

# The 20 joints of Kinect v1 go unnamed in a pickle, so that they must be in the order that all expect.
_USUAL_ORDER: Final = {KINECT_V1_20_UTD.name: KINECT_V1_20}


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export has written.

    Attributes:
        num_clips: annotations.
        num_left_out: clips of the store without a skeleton, which have no annotation.
        split: clips in each list.
    """

    num_clips: int
    num_left_out: int
    split: dict[str, int]


def export_pyskl(store: ClipStore, path: Path) -> ExportSummary:
    """Write a store's skeletons, labels and lists; the file is there whole or not at all.

    Layouts of images give pixels with their scores and image sizes, all others metres; UTD-MHAD's joints come
    in Kinect's own order. A number that is absent is written as 0. Numbers are float16 in clips all of whose
    numbers it holds exactly, else float32.
    Labels are the store's, from 0.

    Args:
        store: a finished store.
        path: the pickle; replaced where it exists.

    Raises:
        InputError: where the path is a folder.
        MissingDataError: where no clip has a skeleton.
        OSError: where the file cannot be written.
    """
    if path.is_dir():
        raise InputError("a pickle must be written to a file", got=path, remedy="add its name to --out")
    annotations = []
    for row, clip_id in enumerate(store.clips.clip_id):
        skeleton = store.skeleton(row)
        if skeleton.num_persons:
            annotations.append(_annotation(clip_id, int(store.clips.label[row]), skeleton))
    if not annotations:
        raise MissingDataError(
            "a store must hold skeletons to be exported",
            got=f"{store.folder} without any",
            remedy="its source came without usable ones: prepare one that holds them",
        )
    ids = {annotation["frame_dir"] for annotation in annotations}
    lists = split_lists(store.clips, store.manifest.protocols)
    split = {name: [clip_id for clip_id in listed if clip_id in ids] for name, listed in lists.items()}
    with open_atomically(path) as file:
        _Pickler(file, _PICKLE_PROTOCOL).dump({"split": split, "annotations": annotations})
    sizes = {name: len(listed) for name, listed in split.items()}
    return ExportSummary(len(annotations), len(store) - len(annotations), sizes)


def split_lists(clips: ClipTable, protocols: Sequence[Protocol]) -> dict[str, list[str]]:
    """The ids in each list: those of the dataset itself, and a train and a val list for every other protocol.

    The latter are called as PYSKL calls them, e.g. ``xsub_train``, or else after the protocol. A protocol of
    which one side has no clips gives no list.

    Args:
        clips: a store's table.
        protocols: the store's.
    """
    lists: dict[str, list[str]] = {}
    for rule in protocols:
        if rule.column == "parts":
            lists.update({str(name): [] for name in (*rule.train, *rule.test)})
            continue
        values, name = getattr(clips, rule.column), _PYSKL_NAMES.get(rule.name, rule.name)
        train, test = (
            [clips.clip_id[row] for row in np.flatnonzero(np.isin(values, side))]
            for side in (rule.train, rule.test)
        )
        if train and test:
            lists.update({f"{name}_train": train, f"{name}_val": test})
    for clip_id, parts in zip(clips.clip_id, clips.parts, strict=True):
        for name in parts:
            lists.setdefault(name, []).append(clip_id)
    return lists


def _annotation(clip_id: str, label: int, skeleton: Skeleton) -> dict[str, Any]:
    layout = LAYOUTS[skeleton.layout]
    is_image = pose_channels(layout) == 2
    keypoint_MTVC = skeleton.pixels_MTV2 if is_image else skeleton.joints_MTV3_m
    joint_names = _USUAL_ORDER.get(layout.name, layout).joint_names
    order = [layout.joint_names.index(name) for name in joint_names]
    annotation: dict[str, Any] = {
        "frame_dir": clip_id,
        "label": label,
        "total_frames": skeleton.num_frames,
        "keypoint": _compact(keypoint_MTVC[:, :, order]),
    }
    if skeleton.scores_MTV is not None:
        annotation["keypoint_score"] = _compact(skeleton.scores_MTV[:, :, order])
    if is_image:
        size_px = (skeleton.image_height_px, skeleton.image_width_px)
        annotation |= {"img_shape": size_px, "original_shape": size_px}
    return annotation


def _compact(values: NDArray[np.float32]) -> NDArray[np.floating]:
    present = np.nan_to_num(values, nan=0.0)
    with np.errstate(over="ignore"):
        halves = present.astype(np.float16)
    return halves if np.array_equal(halves, present) else present


class _Pickler(pickle.Pickler):
    """Names nothing but ``numpy.ndarray`` and ``numpy.dtype``: older NumPy has not what newer names else."""

    def reducer_override(self, obj: Any, /) -> Any:  # noqa: ANN401  # as the class above has it
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        return np.ndarray, ((0,),), (1, obj.shape, obj.dtype, False, obj.tobytes())
