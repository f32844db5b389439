"""The annotations of a PYSKL pickle, one per clip, and the rules that each of them must keep."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np

from autohier.data.datasets.pickled_arrays import PickledArray
from autohier.data.datasets.poses import image_size, skeleton_of_poses
from autohier.data.skeleton import JointLayout, Skeleton
from autohier.digest import digest
from autohier.errors import ClipError, InputError

FORMAT: Final = "see PYSKL's tools/data/README.md"
_FIELDS: Final = ("keypoint", "keypoint_score", "total_frames", "img_shape", "original_shape", "raw_file")


class Fault(NamedTuple):
    """The rule that an annotation breaks, and what broke it."""

    rule: str
    got: object


@dataclass(frozen=True, slots=True)
class Annotation:
    """One entry of a file. Implements datasets.reader.FileEntry.

    Attributes:
        label: as in the file; None where that is no whole number from 0.
        fields: what the entry says of its poses, arrays as NumPy's.
        fault: why it cannot be told apart or classified; None where it can.
    """

    label: int | None
    fields: Mapping[str, object]
    fault: Fault | None

    def skeleton(self, layout: JointLayout) -> Skeleton:
        """Its poses.

        Raises:
            ClipError: where the annotation breaks a rule.
        """
        if self.fault is not None:
            raise ClipError(self.fault.rule, got=self.fault.got)
        keypoint, num_frames = self.fields.get("keypoint"), self.fields.get("total_frames")
        if keypoint is None:
            other = "an annotation with raw_file, as for Kinetics" if "raw_file" in self.fields else None
            raise ClipError("an annotation must hold its keypoint", got=other)
        shape = self.fields.get("img_shape", self.fields.get("original_shape"))
        size_px = None if shape is None else image_size(shape)
        skeleton = skeleton_of_poses(keypoint, self.fields.get("keypoint_score"), size_px, layout)
        if "total_frames" not in self.fields:
            raise ClipError(
                "an annotation must hold total_frames, how many frames its keypoint has",
                remedy="write keypoint.shape[1] there",
            )
        if not isinstance(num_frames, int) or num_frames != skeleton.num_frames:
            raise ClipError(
                "total_frames must count the frames of keypoint",
                got=f"{reprlib.repr(num_frames)}, not {skeleton.num_frames}",
            )
        return skeleton

    def digest(self) -> str:
        """See `FileEntry.digest`."""
        fields = {name: _told(value) for name, value in self.fields.items()}
        return digest({"fields": fields, "fault": self.fault and [self.fault.rule, str(self.fault.got)]})


def read_annotations(entries: object) -> dict[str, Annotation]:
    """The annotations of a file by clip id; what has no id of its own is named by its place.

    Raises:
        InputError: where they are not a list of dicts.
    """
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("annotations of a PYSKL file must be a list of dicts", remedy=FORMAT)
    own_ids = {entry.get("frame_dir") for entry in entries if isinstance(entry.get("frame_dir"), str)}
    found: dict[str, Annotation] = {}
    for number, entry in enumerate(entries):
        clip_id, label = entry.get("frame_dir"), entry.get("label")
        fault = None
        if type(label) is not int or label < 0:
            label, fault = None, Fault("label must be a whole number from 0", reprlib.repr(label))
        if not is_name(clip_id) or clip_id in found:
            rule = "frame_dir must be a text of its own"
            clip_id, fault = _substitute(number, own_ids), Fault(rule, reprlib.repr(clip_id))
        fields = {name: plain(entry[name]) for name in _FIELDS if name in entry}
        found[clip_id] = Annotation(label, fields, fault)
    return found


def plain(value: object) -> object:
    """A value of a pickle, an array as NumPy's; None for one that is not of plain values."""
    return value.values if isinstance(value, PickledArray) else value


def _told(value: object) -> list[str]:
    if isinstance(value, np.ndarray):
        return [value.dtype.str, str(value.shape), sha256(value.tobytes()).hexdigest()]
    return [type(value).__name__, reprlib.repr(value)]


def _substitute(number: int, own_ids: set[object]) -> str:
    name = f"annotation {number}"
    while name in own_ids:
        name += "*"
    return name


def is_name(value: object) -> bool:
    """Whether a value can name a clip or a list."""
    # A pickle may hold halves of characters, which no file that is written here can.
    return isinstance(value, str) and bool(value) and value.encode(errors="replace").decode() == value
