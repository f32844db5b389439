"""``autohier check`` and ``prepare`` on poses whose scores, units or joints are not what they should be."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from autohier.data.store.reader import ClipStore
from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_pyskl import annotation, write_pyskl

needs_cases = pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")


def test_clips_without_a_score_are_rejected(autohier: Autohier, tmp_path: Path) -> None:
    entries = [annotation(f"clip{number}", number % 2) for number in range(4)]
    for entry in entries[:3]:
        entry["keypoint_score"] = np.zeros((1, 6, 17), dtype=np.float16)
    path = write_pyskl(tmp_path / "poses.pkl", entries, {"train": ["clip0", "clip3"], "val": ["clip1"]})
    ended = autohier("check", "pyskl", "--source", path)
    assert ended.code == 1
    rule = "a skeleton must contain a joint whose score is above 0.01"
    assert f"FAULT: 3 clips have a skeleton file that breaks a rule: {rule}\n" in ended.out
    assert "prepare would reject 3 of 4 clips" in ended.out
    prepared = autohier("prepare", "pyskl", "--source", path, "--data", tmp_path / "data", "--workers", 1)
    assert prepared.code == 0
    assert f"3 files break this rule: {rule}" in prepared.out


def test_normalised_joints_are_a_warning_and_can_be_converted(autohier: Autohier, tmp_path: Path) -> None:
    entries = [annotation(f"clip{number}", number % 2) for number in range(4)]
    for entry in entries:
        entry["keypoint"] = (entry["keypoint"] / (1920, 1080)).astype(np.float32)
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["clip0", "clip3"], "val": ["clip1", "clip2"]})
    source = ("pyskl", "--source", path)
    text = "the joints of 4 of 4 clips look normalized: they lie in 0..1, but should be in pixels"
    fix = "add --pose-units 0..1, which converts them"
    ended = autohier("check", *source)
    assert (ended.code, f"WARNING: {text}\n  fix: {fix}\n" in ended.out) == (0, True)
    assert text not in autohier("check", *source, "--pose-units", "0..1").out
    here = ("--workers", 1, "--data", tmp_path / "data")
    assert f"WARNING: {text}: {fix}\n" in autohier("prepare", *source, *here).out
    mixed = autohier("prepare", *source, *here, "--pose-units", "0..1")
    assert "one set of options, but got one with pose_units none, not 0..1" in mixed.err
    other = autohier("prepare", *source, *here, "--name", "other", "--pose-units", "0..1")
    assert (other.code, "--pose-units" in other.out) == (0, False)
    stores = [ClipStore.open(tmp_path / "data" / f"{name}-skeleton") for name in ("x", "other")]
    assert "pose_units" not in (stores[0].folder / "manifest.json").read_text()
    assert stores[1].manifest.pose_units == "0..1"
    expected = stores[0].skeleton(0).pixels_MTV2 * np.array([1920, 1080], np.float32)
    np.testing.assert_allclose(stores[1].skeleton(0).pixels_MTV2, expected, rtol=1e-5)


def test_the_image_of_poses_may_differ_from_the_video(autohier: Autohier, tmp_path: Path) -> None:
    write_custom_clip(tmp_path / "source", "wave/1")  # 192x108 pixels
    path = tmp_path / "source" / "poses" / "wave" / "1.npz"
    with np.load(path) as arrays:
        keypoint = 10 * arrays["keypoint"]
    np.savez(path, keypoint=keypoint)
    source = ("custom", "--source", tmp_path / "source")
    warning = "WARNING: joints of 1 of 1 clips lie outside their image, up to "
    assert warning in autohier("check", *source, "--keep-all").out
    np.savez(path, keypoint=keypoint, img_shape=np.array([1080, 1920]))
    assert warning not in autohier("check", *source).out
    here = ("--workers", 1, "--data", tmp_path / "data", "--name", "mine")
    assert autohier("prepare", *source, *here).code == 0
    store = ClipStore.open(tmp_path / "data" / "mine")
    skeleton = store.skeleton(0)
    assert (skeleton.image_width_px, skeleton.image_height_px) == (1920, 1080)
    left, top, right, bottom = store.box_px(0)
    present_N2 = skeleton.pixels_MTV2.reshape(-1, 2) / 10
    assert (present_N2 >= (left, top)).all()
    assert (present_N2 <= (right, bottom)).all()
    assert right - left < 100


def test_units_are_options_of_a_users_own_poses(autohier: Autohier, tmp_path: Path) -> None:
    ended = autohier("check", "ntu60", "--source", tmp_path, "--pose-units", "0..1")
    assert ended.error == "the pose units of ntu60 cannot be chosen, but got 0..1: leave out --pose-units"
    ended = autohier("check", "ntu60", "--pose-units", "0..1")
    assert "--pose-units, --workers and --reader-option need a dataset's source files" in ended.error


@pytest.mark.realdata
@needs_cases
@pytest.mark.parametrize("command", ["check", "prepare"])
def test_the_real_case_of_normalised_joints_is_a_warning(
    autohier: Autohier, tmp_path: Path, command: str
) -> None:
    path = Path(os.environ["AUTOHIER_DATA"]) / "cases" / "poses_normalised.pkl"
    here = ("--data", tmp_path) if command == "prepare" else ()
    ended = autohier(command, "pyskl", "--source", path, "--workers", 1, *here)
    assert ended.code == 0
    assert "WARNING: the joints of 64 of 64 clips look normalized: they lie in 0..1" in ended.out


@pytest.mark.realdata
@needs_cases
@pytest.mark.parametrize("command", ["check", "prepare"])
def test_the_real_case_of_a_larger_image_is_a_warning(
    autohier: Autohier, tmp_path: Path, command: str
) -> None:
    cases = Path(os.environ["AUTOHIER_DATA"]) / "cases"
    for case, name in (("upright.mp4", "videos/a/1.mp4"), ("poses_of_larger_image.npz", "poses/a/1.npz")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(cases / case)
    here = ("--data", tmp_path / "data", "--name", "mine") if command == "prepare" else ()
    command_line = (command, "custom", "--source", tmp_path, "--workers", 1, *here)
    warning = "joints of 1 of 1 clips lie outside their image"
    assert warning in autohier(*command_line).out
    if command == "check":
        assert warning not in autohier(*command_line, "--pose-units", "image=1080x1440").out


@pytest.mark.realdata
@needs_cases
def test_real_poses_in_pixels_cause_no_warning(autohier: Autohier) -> None:
    path = Path(os.environ["AUTOHIER_DATA"]) / "pyskl-format-sample" / "custom_2d_poses.pkl"
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert "--pose-units" not in ended.out
    assert "img_shape" not in ended.out


@pytest.mark.realdata
@needs_cases
def test_the_real_case_without_scores_is_rejected(autohier: Autohier, tmp_path: Path) -> None:
    path = Path(os.environ["AUTOHIER_DATA"]) / "cases" / "poses_without_score.pkl"
    ended = autohier("check", "pyskl", "--source", path)
    assert ended.code == 1
    assert "prepare would reject 64 of 64 clips" in ended.out
    prepared = autohier("prepare", "pyskl", "--source", path, "--data", tmp_path, "--workers", 1)
    assert "at least one clip must be fit to be prepared, but got none of 64" in prepared.err
