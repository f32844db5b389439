"""``autohier export`` and ``autohier predict``: from a finished sweep to predictions of new files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from support.command_line import Autohier
from support.sources.tiny_clips import CLASS_NAMES, NUM_FRAMES, ColourReader
from support.sources.tiny_datasets import write_video
from support.sweep_runs.finished_sweeps import finish_sweep

READER = ColourReader()
CLIPS = {clip.clip_id: clip for clip in READER.find_clips(Path())}


@pytest.fixture
def model(autohier: Autohier, tmp_path: Path, tiny_data: Path) -> Path:
    finish_sweep(tmp_path, "s", tiny_data)
    folder = tmp_path / "model"
    ended = autohier(
        *("export", "s", "--out", folder, "--sweeps", tmp_path, "--formats", "none", "--no-refit"),
        *("--device", "cpu"),
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-2:] == [
        "s:t0000: not evaluated on the test split",
        f"written to {folder}; next: autohier predict {folder} CLIP...",
    ]
    return folder


def write_clip(path: Path, clip_id: str) -> None:
    frames = np.stack(list(READER.read_frames(CLIPS[clip_id], range(NUM_FRAMES))))
    write_video(path, frames.repeat(4, axis=1).repeat(4, axis=2))


def test_videos_are_classified_and_a_broken_one_is_reported(
    autohier: Autohier, tmp_path: Path, model: Path
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "first.avi", "S2R0A0")
    (clips / "second.avi").write_bytes(b"no video")
    table = tmp_path / "predictions.csv"
    ended = autohier("predict", model, clips, "--whole-frame", "--out", table, "--top", 2, "--device", "cpu")
    assert (ended.code, ended.err) == (0, "")
    first, second, last = ended.out.splitlines()[-3:]
    assert first.startswith("first   ")
    assert second.startswith("second  not read: ")
    assert last == f"written to {table}"
    good, bad = csv.DictReader(table.read_text().splitlines())
    assert good["clip"] == "first"
    assert good["class_1"] in CLASS_NAMES
    assert float(good["probability_1"]) >= float(good["probability_2"]) > 0
    assert "class_3" not in good
    assert 0 <= int(good["superclass_1"]) < 2
    assert (bad["clip"], bad["class_1"]) == ("second", "")
    assert bad["error"]
    again = autohier("predict", model, clips, "--whole-frame", "--out", table)
    assert again.error.startswith("--out must name a file that does not exist")


def set_cropped(model: Path, *, cropped: bool) -> None:
    """Let a model say that its clips were cropped to their persons, or not."""
    description = json.loads((model / "model.json").read_text())
    for network in description["networks"]:
        network["prepared"]["options"]["cropped"] = cropped
    (model / "model.json").write_text(json.dumps(description))


def test_a_video_without_poses_is_read_if_the_clips_were_not_cropped(
    autohier: Autohier, tmp_path: Path, model: Path
) -> None:
    set_cropped(model, cropped=False)
    write_clip(tmp_path / "first.avi", "S2R0A0")
    ended = autohier("predict", model, tmp_path / "first.avi")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1].startswith("first  ")
    assert "not read" not in ended.out


def test_a_model_of_cropped_clips_reads_whole_frames_only_on_request(
    autohier: Autohier, tmp_path: Path, model: Path
) -> None:
    set_cropped(model, cropped=True)
    write_clip(tmp_path / "first.avi", "S2R0A0")
    ended = autohier("predict", model, tmp_path / "first.avi")
    assert "not read: a clip must have poses: name their folder with --poses" in ended.out
    assert ended.error == "at least one clip must be readable, but got none of 1"
    assert ended.code == 2


def test_clips_and_source_exclude_each_other(autohier: Autohier, model: Path, tmp_path: Path) -> None:
    assert autohier("predict", model).error.startswith("predict takes clips or a folder of a dataset")
    ended = autohier("predict", model, "--source", tmp_path, "--poses", tmp_path)
    assert ended.error.startswith("--source finds the poses itself")


def test_an_unknown_format_is_refused_before_any_work(autohier: Autohier, tmp_path: Path) -> None:
    ended = autohier("export", "none", "--out", tmp_path / "model", "--formats", "onx")
    assert ended.error == "unknown format 'onx': did you mean 'onnx'?"
