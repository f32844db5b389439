"""Pose estimators of the RTM family in ONNX: RTMO in one stage, RTMPose behind a detector.

Formats, as MMDeploy exports them: RTMO returns ``dets`` [1, N, 5] (box and score) and ``keypoints``
[1, N, V, 3] (x, y, score). RTMPose returns ``simcc_x`` [1, V, 2 W] and ``simcc_y`` [1, V, 2 H], scores of
places along each axis in steps of half a pixel (Li et al., "SimCC", ECCV 2022). A detector such as YOLOX
returns ``dets`` and may return ``labels`` [1, N], where 0 is a person. Detectors and RTMO read blue,
green and red in 0..255 with the frame in the first corner; RTMPose reads normalized red, green and blue.

Legend: H W pixels, N persons, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.shipped_layouts import HALPE_26
from autohier.data.skeleton import COCO_17
from autohier.errors import InputError
from autohier.poses.boxes import keep_best
from autohier.poses.estimator import FoundPerson
from autohier.poses.onnx_models import OnnxModel
from autohier.poses.region import Region, around_box, from_corner

_GRAY: Final = 114
"""Value around the frame that these networks were trained with."""
_MEAN_3: Final = np.array([123.675, 116.28, 103.53], dtype=np.float32)
_STD_3: Final = np.array([58.395, 57.12, 57.375], dtype=np.float32)
_MARGIN: Final = 1.25
_STEPS_PER_PIXEL: Final = 2
_MIN_SCORE: Final = 0.3
_MAX_OVERLAP: Final = 0.45
_PERSON: Final = 0
_LAYOUTS: Final = {layout.num_joints: layout for layout in (COCO_17, HALPE_26)}
"""Layouts that models of this family find, by the number of their joints."""


@dataclass(slots=True)
class Rtmo:
    """RTMO: boxes and joints of all persons in one network."""

    model: OnnxModel
    layout: JointLayout = COCO_17

    def start_video(self) -> None:
        """See `PoseEstimator`; frames do not depend on each other."""

    def find(self, frame_HW3: NDArray[np.uint8]) -> list[FoundPerson]:
        """See `PoseEstimator`."""
        found, region = _run_detector(self.model, frame_HW3)
        keypoints = found.get("keypoints")
        if keypoints is None or keypoints.ndim != 4 or keypoints.shape[3] != 3:
            raise self.model.unexpected("an RTMO model with the outputs dets and keypoints", found)
        self.layout = _layout_of(self.model, keypoints.shape[2])
        size = np.array([self.model.width_px, self.model.height_px])
        return [
            FoundPerson(
                region.to_frame(keypoints[0, index, :, :2] / size), _as_scores(keypoints[0, index, :, 2])
            )
            for index in _persons(self.model, found)
        ]


@dataclass(slots=True)
class RtmPose:
    """RTMPose: joints in the box of each person that a detector finds."""

    model: OnnxModel
    detector: OnnxModel
    layout: JointLayout = COCO_17

    def start_video(self) -> None:
        """See `PoseEstimator`; frames do not depend on each other."""

    def find(self, frame_HW3: NDArray[np.uint8]) -> list[FoundPerson]:
        """See `PoseEstimator`."""
        found, region = _run_detector(self.detector, frame_HW3)
        size = np.array([self.detector.width_px, self.detector.height_px])
        corners = found["dets"][0, _persons(self.detector, found), :4].reshape(-1, 2)
        boxes_N4 = region.to_frame(corners / size).reshape(-1, 4)
        return [self._find_joints(frame_HW3, box_4) for box_4 in boxes_N4]

    def _find_joints(self, frame_HW3: NDArray[np.uint8], box_4: NDArray[np.float32]) -> FoundPerson:
        model = self.model
        region = around_box(box_4, model.width_px, model.height_px, margin=_MARGIN)
        picture = region.cut_out(frame_HW3, model.width_px, model.height_px)
        found = model.run((picture - _MEAN_3) / _STD_3)
        along_x, along_y = found.get("simcc_x"), found.get("simcc_y")
        if along_x is None or along_y is None or along_x.shape[:2] != along_y.shape[:2]:
            raise model.unexpected("an RTMPose model with the outputs simcc_x and simcc_y", found)
        self.layout = _layout_of(model, along_x.shape[1])
        places_V2 = np.stack([along_x[0].argmax(axis=1), along_y[0].argmax(axis=1)], axis=1)
        steps = np.array([model.width_px, model.height_px]) * _STEPS_PER_PIXEL
        scores_V = np.minimum(along_x[0].max(axis=1), along_y[0].max(axis=1))
        return FoundPerson(region.to_frame(places_V2 / steps), _as_scores(scores_V))


def _run_detector(
    model: OnnxModel, frame_HW3: NDArray[np.uint8]
) -> tuple[dict[str, NDArray[np.float32]], Region]:
    """Return the outputs of a detector for a frame, and the region that it reads."""
    region = from_corner(frame_HW3, model.width_px, model.height_px)
    picture = region.cut_out(frame_HW3, model.width_px, model.height_px, fill=_GRAY)
    found = model.run(picture[:, :, ::-1])
    boxes = found.get("dets")
    if boxes is None or boxes.ndim != 3 or boxes.shape[2] != 5:
        raise model.unexpected("a detector with an output dets of boxes and scores", found)
    return found, region


def _persons(model: OnnxModel, found: dict[str, NDArray[np.float32]]) -> list[int]:
    """Return the indices of the persons that a detector is sure of, best first."""
    boxes_N5 = found["dets"][0]
    scores_N = boxes_N5[:, 4]
    if "labels" in found:
        labels_N = found["labels"][0]
        if labels_N.shape != scores_N.shape:
            raise model.unexpected("a detector with one label for each box", found)
        scores_N = np.where(labels_N == _PERSON, scores_N, 0.0)
    return keep_best(boxes_N5[:, :4], scores_N, min_score=_MIN_SCORE, max_overlap=_MAX_OVERLAP)


def _as_scores(values_V: NDArray[np.float32]) -> NDArray[np.float32]:
    # SimCC's heights are no probabilities and may exceed 1.
    return np.clip(values_V, 0.0, 1.0).astype(np.float32)


def _layout_of(model: OnnxModel, num_joints: int) -> JointLayout:
    if num_joints not in _LAYOUTS:
        raise InputError(
            f"{model.path} must find the 17 joints of COCO or the 26 of Halpe",
            got=f"{num_joints} joints",
            hint="name a model of the body",
        )
    return _LAYOUTS[num_joints]
