"""Annotations of a PYSKL pickle, one per clip, and their checks."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np

from autohier.data.datasets.common.poses.conversion import image_size, skeleton_of_poses
from autohier.data.formats.pickled_arrays import PickledArray
from autohier.data.joint_layout import JointLayout
from autohier.data.names import composed
from autohier.data.pose_units import PoseUnits
from autohier.data.skeleton import Skeleton
from autohier.digest import digest
from autohier.errors import ClipError, InputError

FORMAT: Final = "see PYSKL's tools/data/README.md"
_FIELDS: Final = ("keypoint", "keypoint_score", "total_frames", "img_shape", "original_shape", "raw_file")


class Fault(NamedTuple):
    """Rule that an annotation breaks, and the value that breaks it."""

    rule: str
    got: object


@dataclass(frozen=True, slots=True)
class Annotation:
    """One entry of a file. Implements `FileEntry`.

    Attributes:
        label: label in the file; None if it is not a whole number from 0.
        fields: fields of the entry that describe its poses, with arrays of NumPy.
        fault: reason that the entry has no usable id or label; None if it has both.
    """

    label: int | None
    fields: Mapping[str, object]
    fault: Fault | None

    def skeleton(self, layout: JointLayout, units: PoseUnits) -> Skeleton:
        """Return its poses.

        Raises:
            ClipError: if the annotation breaks a rule.
        """
        if self.fault is not None:
            raise ClipError(self.fault.rule, got=self.fault.got)
        keypoint, num_frames = self.fields.get("keypoint"), self.fields.get("total_frames")
        if keypoint is None:
            other = "an annotation with raw_file, as for Kinetics" if "raw_file" in self.fields else None
            raise ClipError("an annotation must contain its keypoint", got=other)
        shape = self.fields.get("img_shape", self.fields.get("original_shape"))
        size_px = None if shape is None else image_size(shape)
        skeleton = skeleton_of_poses(keypoint, self.fields.get("keypoint_score"), size_px, layout, units)
        if "total_frames" not in self.fields:
            raise ClipError(
                "an annotation must contain total_frames, the number of frames of its keypoint",
                hint="set it to keypoint.shape[1]",
            )
        if not isinstance(num_frames, int) or num_frames != skeleton.num_frames:
            raise ClipError(
                "total_frames must be the number of frames of keypoint",
                got=f"{reprlib.repr(num_frames)}, not {skeleton.num_frames}",
            )
        return skeleton

    def digest(self) -> str:
        """See `FileEntry.digest`."""
        fields = {name: _describe(value) for name, value in self.fields.items()}
        return digest({"fields": fields, "fault": self.fault and [self.fault.rule, str(self.fault.got)]})


def read_annotations(entries: object) -> dict[str, Annotation]:
    """Return the annotations of a file by clip id; one without a unique id is named after its position.

    Raises:
        InputError: if they are not a list of dicts.
    """
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("annotations of a PYSKL file must be a list of dicts", hint=FORMAT)
    own_ids = {composed(entry["frame_dir"]) for entry in entries if isinstance(entry.get("frame_dir"), str)}
    annotations: dict[str, Annotation] = {}
    for number, entry in enumerate(entries):
        clip_id, label = entry.get("frame_dir"), entry.get("label")
        clip_id = composed(clip_id) if isinstance(clip_id, str) else clip_id
        fault = None
        if type(label) is not int or label < 0:
            label, fault = None, Fault("label must be a whole number from 0", reprlib.repr(label))
        if not is_name(clip_id) or clip_id in annotations:
            rule = "frame_dir must be a unique text"
            clip_id, fault = _position_name(number, own_ids), Fault(rule, reprlib.repr(clip_id))
        fields = {name: plain(entry[name]) for name in _FIELDS if name in entry}
        annotations[clip_id] = Annotation(label, fields, fault)
    return annotations


def plain(value: object) -> object:
    """Return a value of a pickle, with an array of NumPy for a `PickledArray`."""
    return value.values if isinstance(value, PickledArray) else value


def _describe(value: object) -> list[str]:
    if isinstance(value, np.ndarray):
        return [value.dtype.str, str(value.shape), sha256(value.tobytes()).hexdigest()]
    return [type(value).__name__, reprlib.repr(value)]


def _position_name(number: int, own_ids: set[str]) -> str:
    name = f"annotation {number}"
    while name in own_ids:
        name += "*"
    return name


def is_name(value: object) -> bool:
    """Return True if a value can name a clip or a list."""
    # A pickle may contain lone surrogates, which cannot be written to a file.
    return isinstance(value, str) and bool(value) and value.encode(errors="replace").decode() == value
