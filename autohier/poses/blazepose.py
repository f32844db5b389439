"""BlazePose: one person per frame, found by a detector and then followed by its own landmarks.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020). Anchors, regions and outputs
are those that MediaPipe's graphs state for these two networks.

Legend: A anchors, H W pixels, V joints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.data.joint_layout import JointLayout
from autohier.data.shipped_layouts import BLAZEPOSE_33
from autohier.data.skeleton import COCO_17
from autohier.poses.blazepose_files import TfliteModel, open_blazepose
from autohier.poses.boxes import overlaps
from autohier.poses.estimator import FoundPerson
from autohier.poses.region import Region, around_frame

_GRIDS: Final = ((28, 2), (14, 2), (7, 6))
"""Cells along each side, and anchors of each cell."""
_NUM_ANCHORS: Final = sum(cells * cells * number for cells, number in _GRIDS)
_BOXES, _SCORES = (1, _NUM_ANCHORS, 12), (1, _NUM_ANCHORS, 1)
_LANDMARKS, _PRESENCE = (1, 195), (1, 1)
_DETECTOR_PX: Final = 224
_LANDMARK_PX: Final = 256
_MIN_SCORE: Final = 0.5
_MIN_OVERLAP: Final = 0.3
"""Overlap with the best box from which others are averaged with it."""
_HIP_CENTRE, _END = 33, 34
"""Landmarks after the 33 joints: the middle of the hips, and the point that gives size and angle."""
_ENLARGED: Final = 1.25
_COCO: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Joints of COCO among the 33."""
_MAX_LOGIT: Final = 80.0


@dataclass(slots=True)
class BlazePose:
    """BlazePose with its two networks."""

    detector: TfliteModel
    landmarks: TfliteModel
    layout: JointLayout = COCO_17
    """COCO's 17 of the joints, or all 33."""
    _region: Region | None = field(default=None, init=False)
    """Where the person is expected in the next frame; None if it must be detected."""

    def start_video(self) -> None:
        """See `PoseEstimator`."""
        self._region = None

    def find(self, frame_HW3: NDArray[np.uint8]) -> list[FoundPerson]:
        """See `PoseEstimator`: at most one person."""
        region = self._region or self._detect(frame_HW3)
        self._region = None
        if region is None:
            return []
        picture = region.cut_out(frame_HW3, _LANDMARK_PX, _LANDMARK_PX)
        found = self.landmarks.run(picture / 255)
        if float(found[_PRESENCE].item()) < _MIN_SCORE:
            return []
        values = found[_LANDMARKS].reshape(39, 5)
        places = region.to_frame(values[:, :2] / _LANDMARK_PX)
        self._region = region_of(places[_HIP_CENTRE], places[_END])
        joints = list(_COCO) if self.layout is COCO_17 else list(range(len(BLAZEPOSE_33.joint_names)))
        return [FoundPerson(places[joints], _sigmoid(values[joints, 3]))]

    def _detect(self, frame_HW3: NDArray[np.uint8]) -> Region | None:
        whole = around_frame(frame_HW3)
        picture = whole.cut_out(frame_HW3, _DETECTOR_PX, _DETECTOR_PX)
        # Black beyond the frame is -1, like black in it.
        found = self.detector.run(picture / 127.5 - 1)
        points = best_detection(found[_BOXES][0], _sigmoid(found[_SCORES][0, :, 0]))
        if points is None:
            return None
        hips, end = whole.to_frame(points)
        return region_of(hips, end)


def load_blazepose(path: Path, layout: JointLayout, *, num_threads: int) -> BlazePose:
    """Load BlazePose; see `open_blazepose` for the path and the errors."""
    shapes = ((_BOXES, _SCORES), (_LANDMARKS, _PRESENCE))
    detector, landmarks = open_blazepose(path, num_threads=num_threads, shapes=shapes)
    return BlazePose(detector, landmarks, layout)


def anchors() -> NDArray[np.float32]:
    """Return the centers of the anchors as shares of the picture [A, 2]: cell by cell, row by row."""
    grids = []
    for cells, number in _GRIDS:
        steps = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(steps, steps, indexing="ij")
        grids.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(number, axis=0))
    return np.concatenate(grids)


def best_detection(
    values_A12: NDArray[np.float32], scores_A: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """Return the middle of the hips and the end point of the surest person [2, 2], as shares of the picture.

    They are means over the boxes that overlap the best one, weighted by their scores.

    Args:
        values_A12: x, y, width and height of the box of each anchor, then x and y of four points, in pixels
            of the detector's picture; places count from the anchor.
        scores_A: score of each anchor.
    """
    best = int(scores_A.argmax())
    if scores_A[best] < _MIN_SCORE:
        return None
    sure = np.flatnonzero(scores_A >= _MIN_SCORE)
    values = values_A12[sure] / _DETECTOR_PX
    centres = values[:, :2] + anchors()[sure]
    boxes = np.concatenate([centres - values[:, 2:4] / 2, centres + values[:, 2:4] / 2], axis=1)
    points = values[:, 4:8].reshape(-1, 2, 2) + anchors()[sure][:, None]
    same = overlaps(boxes[int(np.flatnonzero(sure == best)[0])], boxes) >= _MIN_OVERLAP
    found = np.average(points[same], axis=0, weights=scores_A[sure][same])
    return np.asarray(found, dtype=np.float32)


def region_of(hips_2: NDArray[np.float32], end_2: NDArray[np.float32]) -> Region:
    """Return the square that the network of landmarks reads, in which the person stands upright.

    Args:
        hips_2: middle of the hips, the center of the square.
        end_2: point above the hips of an upright person, half a side away before it is enlarged.
    """
    x, y = float(end_2[0] - hips_2[0]), float(end_2[1] - hips_2[1])
    side = max(2 * math.hypot(x, y) * _ENLARGED, 1.0)
    return Region(float(hips_2[0]), float(hips_2[1]), side, side, angle_rad=math.atan2(x, -y))


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = 1 / (1 + np.exp(-np.clip(logits, -_MAX_LOGIT, _MAX_LOGIT)))
    return np.asarray(shares, dtype=np.float32)
