"""Recognition of windows: what prediction gives for a clip of the same frames, smoothed over windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from autohier.data.joint_layout import JointLayout
from autohier.data.shipped_layouts import BLAZEPOSE_33
from autohier.data.skeleton import COCO_17
from autohier.data.video.live_source import LiveFrame, find_source, read_live
from autohier.deploy.live import requirements
from autohier.deploy.live.recognizer import LiveLabel, LiveRecognizer, LiveSettings
from autohier.deploy.live.requirements import blazepose_layout, default_window
from autohier.deploy.live.window import WindowLength
from autohier.deploy.prediction import LoadedModel, load_model
from autohier.errors import ClipError, InputError
from autohier.machine import MachineShare
from autohier.poses.estimator import FoundPerson
from autohier.poses.finding import find_poses
from autohier.poses.onnx_models import open_onnx_model
from autohier.poses.rtm import Rtmo
from autohier.poses.videos import find_videos
from support.fakes.exported_onnx import CLASSES, write_frame_model, write_skeleton_model
from support.fakes.pose_models import spot, write_rtmo
from support.sources.tiny_videos import encode

NUM_FRAMES = 12
TIMES = (0, 1, 2, 3, 6, 7, 8, 9, 10, 14, 15, 16)
"""Times of the frames in 1/25 s."""


class Moving:
    """Pose estimator that finds one person, or none in some frames."""

    def __init__(self, layout: JointLayout = COCO_17, *, empty: Sequence[int] = ()) -> None:
        self.layout = layout
        self.number = 0
        self.empty = empty

    def start_video(self) -> None:
        self.number = 0

    def find(self, frame_HW3: np.ndarray) -> list[FoundPerson]:  # noqa: ARG002
        self.number += 1
        if self.number - 1 in self.empty:
            return []
        joints = np.arange(self.layout.num_joints)
        places = np.stack([20 + 3 * joints + self.number**2 % 7, 90 - 4 * joints], axis=1)
        return [FoundPerson(places.astype(np.float32), np.full(len(joints), 0.9, np.float32))]


def frame(number: int, side_px: int = 100) -> LiveFrame:
    return LiveFrame(number, np.full((side_px, side_px, 3), 9 * number, np.uint8), number / 25, 1 / 25)


def labels_of(recognizer: LiveRecognizer, numbers: Sequence[int]) -> list[LiveLabel]:
    return [label for number in numbers if (label := recognizer.see(frame(number))) is not None]


def skeleton_recognizer(
    folder: Path, estimator: Moving, *, window: int = 4, every: int = 2, smooth: int = 1
) -> tuple[LoadedModel, LiveRecognizer]:
    model = load_model(write_skeleton_model(folder), runtime="onnx", device="cpu")
    settings = LiveSettings(WindowLength(window), every=every, smooth=smooth)
    return model, LiveRecognizer(model, estimator, settings, top=3)


@pytest.mark.parametrize("kind", ["skeletons", "skeletons of videos", "frames"])
@pytest.mark.parametrize("length", [WindowLength(NUM_FRAMES), WindowLength(None, 0.68), WindowLength(99)])
def test_a_window_of_a_whole_clip_is_predicted_like_the_clip(
    tmp_path: Path, kind: str, length: WindowLength
) -> None:
    """The clip lasts 17/25 s; a window that is longer is recognized at the end."""
    video = tmp_path / "clip.mp4"
    pictures = np.stack([spot(60 + 9 * number, 100 + 5 * (number % 3)) for number in range(NUM_FRAMES)])
    encode(video, pictures, "mpeg4", times=TIMES)
    if kind == "frames":
        write_frame_model(tmp_path / "model")
    else:
        write_skeleton_model(tmp_path / "model", channels=0 if kind == "skeletons" else 3)
    model = load_model(tmp_path / "model", runtime="onnx", device="cpu")
    estimator = Rtmo(open_onnx_model(write_rtmo(tmp_path / "rtmo.onnx"), num_threads=1))
    (result,) = find_poses(find_videos([video], tmp_path / "poses"), estimator, max_persons=2)
    assert result.num_with_person == NUM_FRAMES
    clip = tmp_path / "poses" / "clip.npz" if kind == "skeletons" else video
    expected = model.predict(clip, poses=None if kind == "skeletons" else tmp_path / "poses")

    assert np.ptp(expected.confidences) > 0.05
    recognizer = LiveRecognizer(model, estimator, LiveSettings(length))
    labels = [recognizer.see(each) for each in read_live(find_source(str(video)))]
    *others, last = [*labels[:-1], labels[-1] or recognizer.finish()]
    assert others == [None] * (NUM_FRAMES - 1)
    assert last is not None
    assert last.classes == expected.classes
    np.testing.assert_array_equal(last.confidences, expected.confidences)
    assert (last.first_frame, last.last_frame) == (0, NUM_FRAMES - 1)
    assert last.end_s == pytest.approx(0.68)


def test_windows_follow_each_other_and_probabilities_are_averaged(tmp_path: Path) -> None:
    """Windows of four frames end at the frames 3, 5 and 7; each label is the mean of the last two."""
    _, alone = skeleton_recognizer(tmp_path / "a", Moving(), smooth=1)
    _, smoothed = skeleton_recognizer(tmp_path / "b", Moving(), smooth=2)
    own, means = labels_of(alone, range(9)), labels_of(smoothed, range(9))
    assert [(label.first_frame, label.last_frame) for label in own] == [(0, 3), (2, 5), (4, 7)]
    values = [dict(zip(label.classes, label.confidences, strict=True)) for label in own]
    assert values[0] != values[1]
    for index, label in enumerate(means):
        recent = values[max(0, index - 1) : index + 1]
        expected = {name: sum(each[name] for each in recent) / len(recent) for name in CLASSES}
        assert dict(zip(label.classes, label.confidences, strict=True)) == pytest.approx(expected)
        assert list(label.confidences) == sorted(label.confidences, reverse=True)


def test_a_window_without_a_person_has_no_label_and_is_not_averaged(tmp_path: Path) -> None:
    """Windows end at the frames 3, 5, 7, 9 and 11; frames 2 to 7 show no person, so two windows are empty."""
    _, recognizer = skeleton_recognizer(tmp_path / "a", Moving(empty=range(2, 8)), smooth=9)
    labels = labels_of(recognizer, range(12))
    assert [bool(label.classes) for label in labels] == [True, False, False, True, True]
    assert labels[1].fault == "a window must show a person, but got none in 4 frames"
    _, fresh = skeleton_recognizer(tmp_path / "b", Moving(empty=range(2, 8)), smooth=1)
    assert labels_of(fresh, range(12))[3] == labels[3]


def test_a_video_without_a_frame_has_no_label(tmp_path: Path) -> None:
    _, recognizer = skeleton_recognizer(tmp_path / "a", Moving())
    assert recognizer.finish() is None


def test_frames_must_be_of_one_size(tmp_path: Path) -> None:
    _, recognizer = skeleton_recognizer(tmp_path / "a", Moving())
    recognizer.see(frame(0))
    with pytest.raises(ClipError, match=r"must be of one size, but got 100 x 100 and 120 x 120"):
        recognizer.see(frame(1, side_px=120))


def test_poses_must_be_found_if_the_model_needs_them(tmp_path: Path) -> None:
    settings = LiveSettings(WindowLength(4))
    skeletons = load_model(write_skeleton_model(tmp_path / "s"), runtime="onnx")
    with pytest.raises(InputError, match="reads poses, which must be found, but got no pose model"):
        LiveRecognizer(skeletons, None, settings)
    cropped = load_model(write_frame_model(tmp_path / "c"), runtime="onnx")
    with pytest.raises(InputError, match=r"cropped to persons.*; or add --whole-frame"):
        LiveRecognizer(cropped, None, settings)
    whole = LiveRecognizer(cropped, None, LiveSettings(WindowLength(4), whole_frame=True))
    assert [label.last_frame for label in labels_of(whole, range(4))] == [3]
    depth = load_model(write_frame_model(tmp_path / "d", channels=1), runtime="onnx")
    with pytest.raises(InputError, match="live reads color videos, but got a model of mine's depth"):
        LiveRecognizer(depth, None, settings)


def test_joints_must_be_those_of_the_model(tmp_path: Path) -> None:
    model, recognizer = skeleton_recognizer(tmp_path / "a", Moving(BLAZEPOSE_33))
    with pytest.raises(
        InputError, match=r"but got blazepose-33 in the image for coco-17 in the image: train"
    ):
        recognizer.see(frame(0))
    assert blazepose_layout(model.description) is COCO_17
    other = load_model(write_skeleton_model(tmp_path / "b", layout="blazepose-33"), runtime="onnx")
    assert blazepose_layout(other.description) is BLAZEPOSE_33
    space = load_model(write_skeleton_model(tmp_path / "c", layout="kinect-v2-25"), runtime="onnx")
    with pytest.raises(InputError, match=r"but got coco-17 in the image for kinect-v2-25 in space"):
        blazepose_layout(space.description)


def test_the_window_is_as_long_as_the_clips_of_the_model(tmp_path: Path) -> None:
    known = load_model(write_skeleton_model(tmp_path / "a", clip_frames=41), runtime="onnx")
    assert default_window(known.description) == WindowLength(41)
    unknown = load_model(write_skeleton_model(tmp_path / "b", clip_frames=None), runtime="onnx")
    with pytest.raises(InputError, match="does not say how long its clips are: add --window"):
        default_window(unknown.description)


def test_pictures_of_a_window_must_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine pictures of 30,000 bytes are 270,000, more than half of 500,000; with seconds, 0.36 s are nine."""
    monkeypatch.setattr(requirements, "machine_share", lambda: MachineShare(1, 500_000))
    model = load_model(write_frame_model(tmp_path / "a"), runtime="onnx")
    for length in (WindowLength(9), WindowLength(None, 0.36)):
        recognizer = LiveRecognizer(model, Moving(), LiveSettings(length))
        with pytest.raises(
            InputError, match=r"must fit half of the memory, but got .* for .*shorter --window"
        ):
            recognizer.see(frame(0))
    assert LiveRecognizer(model, Moving(), LiveSettings(WindowLength(8))).see(frame(0)) is None
