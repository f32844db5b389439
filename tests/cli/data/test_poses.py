"""The command poses: from videos to pose files that check and prepare read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from autohier.cli.data import prepare_progress
from autohier.data.store.reader import ClipStore
from autohier.data.video.encoding import encode_mp4
from support.command_line import Autohier
from support.fakes.pose_models import spot, write_detector, write_rtmo, write_rtmpose

NUM_FRAMES = 6


def places(start: int) -> list[tuple[int, int]]:
    return [(start + 4 * number, 100) for number in range(NUM_FRAMES)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of two classes; the spot of a video walks to the right, except in one without any."""
    source = tmp_path / "own"
    for name, start in (("jump/a", 40), ("jump/b", 60), ("wave/a", 80), ("wave/b", 100), ("wave/dark", 0)):
        path = source / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = [spot(*place) * (start > 0) for place in places(start)]
        path.write_bytes(encode_mp4(frames, frame_rate=10))
    return source


def pose_options(tmp_path: Path, kind: str) -> list[str]:
    if kind == "rtmo":
        return ["--rtmo", str(write_rtmo(tmp_path / "rtmo.onnx"))]
    pose, detector = write_rtmpose(tmp_path / "pose.onnx"), write_detector(tmp_path / "detector.onnx")
    return ["--rtmpose", str(pose), "--detector", str(detector)]


@pytest.mark.parametrize("kind", ["rtmo", "rtmpose"])
def test_poses_are_found_and_prepared(tmp_path: Path, source: Path, autohier: Autohier, kind: str) -> None:
    (source / "videos" / "wave" / "dark.mp4").unlink()
    made = autohier(
        "poses", str(source), *pose_options(tmp_path, kind), "--pickle", str(tmp_path / "all.pkl")
    )
    assert made.code == 0, made.err
    next_command = f"autohier check custom --source {source}"
    assert f"4 of 4 videos have a pose file in {source / 'poses'}; next: {next_command}\n" in made.out
    with np.load(source / "poses" / "jump" / "a.npz") as arrays:
        assert arrays["keypoint"].shape == (1, NUM_FRAMES, 17, 2)
        # One pixel of the picture that the model reads is three of the frame.
        np.testing.assert_allclose(arrays["keypoint"][0, :, 7], places(40), atol=5)
        assert arrays["img_shape"].tolist() == [200, 300]

    prepared = autohier(
        "prepare", "custom", "--source", str(source), "--data", str(tmp_path / "data"), "--size", "16"
    )
    assert prepared.code == 0, prepared.err
    store = ClipStore.open(tmp_path / "data" / "own")
    assert store.clips.clip_id == ("jump/a", "jump/b", "wave/a", "wave/b")
    np.testing.assert_allclose(store.skeleton(2).pixels_MTV2[0, :, 7], places(80), atol=5)

    content = pickle.loads((tmp_path / "all.pkl").read_bytes())
    assert [(each["frame_dir"], each["label"], each["total_frames"]) for each in content["annotations"]] == [
        (f"{name}/{clip}", label, NUM_FRAMES) for label, name in enumerate(("jump", "wave")) for clip in "ab"
    ]
    assert sorted(clip for listed in content["split"].values() for clip in listed) == list(
        store.clips.clip_id
    )


def test_a_pickle_reads_pose_files_of_others_as_prepare_does(
    tmp_path: Path, source: Path, autohier: Autohier
) -> None:
    """`keypoint` is all that a pose file needs; the video says the size. A damaged file is named."""
    for name in ("jump/a", "jump/b", "wave/a", "wave/dark"):
        file = source / "poses" / f"{name}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, keypoint=np.full((1, NUM_FRAMES, 17, 2), 7, np.float32))
    (source / "poses" / "wave" / "b.npz").write_bytes(b"mine")
    made = autohier(
        "poses", str(source), *pose_options(tmp_path, "rtmo"), "--pickle", str(tmp_path / "all.pkl")
    )
    assert made.code == 0, made.err
    assert f"4 clips in {tmp_path / 'all.pkl'}\n" in made.out
    assert f"WARNING: left out of the pickle: {source / 'poses' / 'wave' / 'b.npz'}: " in made.err
    first = pickle.loads((tmp_path / "all.pkl").read_bytes())["annotations"][0]
    assert (first["frame_dir"], first["img_shape"]) == ("jump/a", (200, 300))
    np.testing.assert_array_equal(first["keypoint"], np.full((1, NUM_FRAMES, 17, 2), 7))


def test_one_line_of_progress_counts_videos_and_frames(
    tmp_path: Path, source: Path, autohier: Autohier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare_progress, "_LINE_EVERY_S", 0.0)
    made = autohier("poses", str(source), *pose_options(tmp_path, "rtmo"))
    assert "finding poses 0/5 frame 1 of 6\n" in made.err
    assert "finding poses 4/5 frame 6 of 6\n" in made.err


def test_the_same_command_continues(tmp_path: Path, source: Path, autohier: Autohier) -> None:
    """Videos with a pose file are not read again; an unreadable video gets none, and is named."""
    options = [str(source), *pose_options(tmp_path, "rtmo")]
    kept = source / "poses" / "jump" / "a.npz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    (source / "videos" / "wave" / "b.mp4").write_bytes(b"text")
    made = autohier("poses", *options)
    assert made.code == 0, made.err
    assert "jump/a.mp4: has a pose file already" in made.err
    assert "jump/b.mp4: 1 person in 6 of 6 frames" in made.err
    assert kept.read_bytes() == b"mine"
    assert not (source / "poses" / "wave" / "b.npz").exists()
    assert "wave/b.mp4: " in made.err
    assert "4 of 5 videos have a pose file in" in made.out  # all but wave/b: the fake sees dark spots


def test_a_table_without_a_column_for_poses_finds_them(
    tmp_path: Path, source: Path, autohier: Autohier
) -> None:
    rows = [f"videos/{name}.mp4,{name[:4]}" for name in ("jump/a", "jump/b", "wave/a", "wave/b")]
    (source / "clips.csv").write_text("\n".join(["path,label", *rows]))
    made = autohier("poses", str(source), *pose_options(tmp_path, "rtmo"))
    assert made.code == 0, made.err
    assert (source / "poses" / "videos" / "jump" / "a.npz").is_file()
    checked = autohier("check", "custom", "--source", str(source))
    assert "prepare would reject 0 of 4 clips" in checked.out


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], r"one pose model must be named: write --blazepose FILE, --rtmo"),
        (["--rtmo", "a", "--blazepose", "b"], r"one pose model must be named"),
        (["--rtmpose", "a"], r"one pose model must be named"),
        (["--rtmo", "a", "--detector", "b"], r"one pose model must be named"),
        (["--rtmo", "a", "--layout", "blazepose-33"], r"--layout is for --blazepose"),
        (["--rtmo", "a"], r"a pose model must be a file, but got a"),
    ],
)
def test_options_that_name_no_model_are_refused(
    source: Path, autohier: Autohier, options: list[str], error: str
) -> None:
    refused = autohier("poses", str(source), *options)
    assert refused.code == 2
    assert error in refused.err


def test_videos_without_persons_are_an_error(tmp_path: Path, autohier: Autohier) -> None:
    video = tmp_path / "dark.mp4"
    video.write_bytes(b"text")
    refused = autohier("poses", str(video), "--out", str(tmp_path), *pose_options(tmp_path, "rtmo"))
    assert refused.code == 2
    assert "at least one video must show a person, but got none of 1" in refused.err
    assert "dark.mp4: " in refused.err
