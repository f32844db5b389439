"""``autohier show``: its output file and its errors."""

from __future__ import annotations

import warnings
from pathlib import Path

import av
import pytest
from PIL import Image

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from support.command_line import Autohier
from support.sources.tiny_clips import NUM_FRAMES
from support.sources.tiny_pyskl import annotation, write_pyskl


def test_it_writes_the_picture_and_prints_its_path(
    autohier: Autohier, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sheets" / "one.png"
    ended = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--out", out, "--frames", 2)
    assert (ended.code, ended.out, ended.err) == (0, f"{out}\n", "")
    with Image.open(out) as image:
        assert image.size == (780, 340)  # the source and 2 frames of 260 pixels, a header of 80


def test_the_file_is_named_after_the_clip(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotations = [annotation(name, 0) for name in ("a/x", "b/y")]
    source = write_pyskl(tmp_path / "mine.pkl", annotations, {"train": ["a/x"], "val": ["b/y"]})
    reader = open_dataset("pyskl", source=source)
    prepare_dataset(reader, source, tmp_path / "data" / "mine-skeleton", num_workers=1)
    monkeypatch.chdir(tmp_path)
    ended = autohier("show", "mine", "a")
    assert (ended.code, ended.out) == (0, "a_x.png\n")
    assert (tmp_path / "a_x.png").is_file()


def test_a_video_is_named_after_the_clip_and_has_all_frames_of_the_source(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--video", "--rate", 8)
    assert (ended.code, ended.out, ended.err) == (0, "S1R2A3.mp4\n", "")
    with av.open("S1R2A3.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == NUM_FRAMES
        assert container.streams.video[0].average_rate == 8
    error = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--video", "--out", "a.avi").error
    assert error == "a video must end in .mp4 or .gif, but got a.avi: write e.g. --out clip.mp4"


def test_clip_ids_may_begin_with_a_dash_and_use_any_script(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["-LtLS_E_01", "--x", "拍手 $x_$"]
    source = write_pyskl(
        tmp_path / "mine.pkl", [annotation(name, 0) for name in names], {"train": names[:1], "val": names[1:]}
    )
    reader = open_dataset("pyskl", source=source)
    prepare_dataset(reader, source, tmp_path / "data" / "mine-skeleton", num_workers=1)
    monkeypatch.chdir(tmp_path)
    for name in names:
        with warnings.catch_warnings(action="error"):
            ended = autohier("show", "mine", name, "--frames", 1)
        assert (ended.code, ended.out, ended.err) == (0, f"{name}.png\n", "")
        assert (tmp_path / f"{name}.png").is_file()
    assert autohier("show", "mine", "-L", "--frame", 1).code == 2


def test_the_output_must_be_a_file(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    error = autohier("show", "demo", "S1R2A3", "--data", tiny_data, "--out", tmp_path).error
    assert (
        error == f"--out must name a file, not a folder, but got {tmp_path}: write --out {tmp_path}/clip.png"
    )


def test_missing_clips_and_stores_are_one_line(autohier: Autohier, tiny_data: Path) -> None:
    data = ("--data", tiny_data)
    assert "S1R2A3" in autohier("show", "demo", "X1R2A3", *data).error
    assert (
        "must be unique, but got 'S1R2' of 6 clips: write more of it, e.g. S1R2A0"
        in autohier("show", "demo", "S1R2", *data).error
    )
    assert "ntu60 is not prepared" in autohier("show", "ntu60", "S1", *data).error


@pytest.mark.parametrize("command", [("show", "mine", "a"), ("export-pyskl", "mine", "--out", "a.pkl")])
def test_a_missing_store_suggests_the_prepared_modality(
    autohier: Autohier, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "mine-skeleton").mkdir()
    (tmp_path / "mine-skeleton" / "manifest.json").touch()
    error = autohier(*command, "--modality", "depth", "--data", tmp_path).error
    assert "use a prepared modality with --modality skeleton, or run 'autohier prepare" in error
