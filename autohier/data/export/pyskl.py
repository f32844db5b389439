"""Export of a store's skeletons and lists to the pickle format of PYSKL and MMAction2.

Shape letters: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.protocols import Protocol
from autohier.data.skeleton import KINECT_V1_20, KINECT_V1_20_UTD, Skeleton
from autohier.data.store.reader import ClipStore
from autohier.data.store.table import ClipTable
from autohier.errors import InputError, MissingDataError
from autohier.files import open_atomically

_PICKLE_PROTOCOL: Final = 4  # the newest that all Python versions of PYSKL can read
_PYSKL_NAMES: Final = {"cross-subject": "xsub", "cross-view": "xview", "cross-setup": "xset"}

# A pickle does not name its joints, so those of Kinect v1 must be in the usual order.
_USUAL_ORDER: Final = {KINECT_V1_20_UTD.name: KINECT_V1_20}


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """Counts of an export.

    Attributes:
        num_clips: number of annotations.
        num_left_out: number of clips of the store without a skeleton, which get no annotation.
        split: number of clips in each list.
    """

    num_clips: int
    num_left_out: int
    split: dict[str, int]


def export_pyskl(store: ClipStore, path: Path) -> ExportSummary:
    """Write a store's skeletons, labels and lists; the file is written atomically.

    Layouts of image joints are written in pixels, with scores and image sizes, all others in meters.
    UTD-MHAD's joints are reordered to Kinect's order. Absent joints are written as 0. A clip is float16 if
    that is exact, else float32. Labels are those of the store, from 0.

    Args:
        store: a finished store.
        path: the pickle; replaced if it exists.

    Raises:
        InputError: if the path is a folder.
        MissingDataError: if no clip has a skeleton.
        OSError: if the file cannot be written.
    """
    if path.is_dir():
        raise InputError(
            "a pickle must be written to a file", got=f"the folder {path}", hint="add a file name to --out"
        )
    annotations, layout = [], store.manifest.layout
    for row, clip_id in enumerate(store.clips.clip_id):
        skeleton = store.skeleton(row)
        if skeleton.num_persons:
            annotations.append(annotate(clip_id, int(store.clips.label[row]), skeleton, layout))
    if not annotations:
        raise MissingDataError(
            "a store must contain skeletons to be exported",
            got=store.folder,
            hint="prepare a source that has usable skeletons",
        )
    split = write_annotations(path, annotations, split_lists(store.clips, store.manifest.protocols))
    sizes = {name: len(listed) for name, listed in split.items()}
    return ExportSummary(len(annotations), len(store) - len(annotations), sizes)


def split_lists(clips: ClipTable, protocols: Sequence[Protocol]) -> dict[str, list[str]]:
    """Return the ids in each list: the dataset's own lists, and a train and a val list per other protocol.

    The latter have PYSKL's names, e.g. ``xsub_train``, or else that of the protocol. A protocol without
    training or test clips has no lists.

    Args:
        clips: table of a store.
        protocols: protocols of the store.
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


def write_annotations(
    path: Path, annotations: Sequence[dict[str, Any]], lists: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Write a pickle, and return its lists: the given ones without clips that have no annotation.

    Raises:
        OSError: if the file cannot be written.
    """
    ids = {annotation["frame_dir"] for annotation in annotations}
    split = {name: [clip_id for clip_id in listed if clip_id in ids] for name, listed in lists.items()}
    with open_atomically(path) as file:
        _Pickler(file, _PICKLE_PROTOCOL).dump({"split": split, "annotations": list(annotations)})
    return split


def annotate(clip_id: str, label: int, skeleton: Skeleton, layout: JointLayout) -> dict[str, Any]:
    """Return the annotation of one clip, whose joints are in PYSKL's order."""
    is_image = layout.planar
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
    """Pickler that refers only to ``numpy.ndarray`` and ``numpy.dtype``, which every NumPy has."""

    def reducer_override(self, obj: Any, /) -> Any:  # noqa: ANN401  # signature of the base class
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        return np.ndarray, ((0,),), (1, obj.shape, obj.dtype, False, obj.tobytes())
