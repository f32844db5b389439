"""BlazePose: anchors, detections and regions by hand; its own networks on real clips."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autohier.data.shipped_layouts import BLAZEPOSE_33
from autohier.data.skeleton import COCO_17
from autohier.data.video.decoding import count_frames, decode_frames
from autohier.errors import InputError
from autohier.poses.blazepose import anchors, best_detection, load_blazepose, region_of

NUM_ANCHORS = 28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6


def test_anchors_are_the_middles_of_the_cells():
    centres = anchors()
    assert centres.shape == (NUM_ANCHORS, 2) == (2254, 2)
    np.testing.assert_allclose(centres[:3], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28]])
    np.testing.assert_allclose(centres[28 * 2], [0.5 / 28, 1.5 / 28])
    np.testing.assert_allclose(centres[28 * 28 * 2], [0.5 / 14] * 2)
    np.testing.assert_allclose(centres[-6:], [[6.5 / 7] * 2] * 6)


def test_boxes_around_the_best_are_averaged_by_their_scores():
    """Three boxes of 56 x 56 pixels; two of them 5.6 pixels apart, the third far away."""
    values, scores = np.zeros((NUM_ANCHORS, 12), np.float32), np.zeros(NUM_ANCHORS, np.float32)
    for index, shift, score in ((0, 0.0, 0.8), (1, 5.6, 0.6), (2000, 0.0, 0.7)):
        values[index, :4] = shift, 0, 56, 56
        values[index, 4:8] = shift, 0, shift, -28
        scores[index] = score
    anchor = anchors()[0]
    hips, end = best_detection(values, scores)
    mean_shift = 0.6 * 5.6 / 1.4 / 224
    np.testing.assert_allclose(hips, anchor + np.array([mean_shift, 0]), atol=1e-6)
    np.testing.assert_allclose(end, anchor + np.array([mean_shift, -28 / 224]), atol=1e-6)
    assert best_detection(values, scores / 2) is None


@pytest.mark.parametrize(
    ("end", "angle"), [((0, -40), 0), ((40, 0), math.pi / 2), ((-40, 0), -math.pi / 2), ((0, 40), math.pi)]
)
def test_the_region_is_turned_so_that_the_person_stands(end: tuple[int, int], angle: float):
    """A person whose head is to the right of the hips lies, turned clockwise by 90 degrees."""
    region = region_of(np.array([100, 200]), np.array([100 + end[0], 200 + end[1]]))
    assert (region.centre_x, region.centre_y) == (100, 200)
    assert region.width == region.height == 2 * 40 * 1.25
    assert region.angle_rad == pytest.approx(angle)


@pytest.fixture(scope="module")
def package() -> Path:
    pytest.importorskip("ai_edge_litert")
    if "AUTOHIER_BLAZEPOSE" not in os.environ:
        pytest.skip("AUTOHIER_BLAZEPOSE does not name MediaPipe's package, which holds BlazePose's networks")
    return Path(os.environ["AUTOHIER_BLAZEPOSE"])


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")
@pytest.mark.parametrize("layout", [COCO_17, BLAZEPOSE_33], ids=lambda layout: layout.name)
def test_a_person_is_followed_in_a_real_clip(package: Path, layout):
    """Two men stand in the middle of the picture; one of them is found in every frame, upright and calm."""
    clip = Path(os.environ["AUTOHIER_DATA"]) / "clips" / "pyskl_ntu_sample.avi"
    estimator = load_blazepose(package, layout, num_threads=1)
    frames = decode_frames(clip, range(0, count_frames(clip), 4))
    persons = [person for frame in frames for person in estimator.find(frame)]
    assert len(persons) == 18
    joints_TV2 = np.stack([person.joints_V2 for person in persons])
    names = layout.joint_names
    nose, hip, ankle = (joints_TV2[:, names.index(name)] for name in ("nose", "left hip", "left ankle"))
    assert (nose[:, 1] + 100 < hip[:, 1]).all()
    assert (hip[:, 1] + 100 < ankle[:, 1]).all()
    assert np.abs(hip - [1020, 580]).max() < 120
    assert np.mean([person.score for person in persons]) > 0.8
    estimator.start_video()
    assert estimator.find(np.zeros((200, 300, 3), np.uint8)) == []


@pytest.mark.parametrize("kind", ["folder", "zip", "text"])
def test_other_files_are_refused_with_the_way_to_the_networks(tmp_path: Path, kind: str):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "models"
    if kind == "folder":
        path.mkdir()
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("pose_landmark_full.tflite", b"")
    else:
        path.write_text("text")
    with pytest.raises(
        InputError, match=r"must (contain pose_detection\.tflite|be a folder or a package).*pip down"
    ):
        load_blazepose(path, COCO_17, num_threads=1)


def test_damaged_networks_are_refused(tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
        (tmp_path / name).write_bytes(b"text")
    with pytest.raises(InputError, match=r"pose_detection\.tflite in .* must be a TensorFlow Lite model"):
        load_blazepose(tmp_path, COCO_17, num_threads=1)
