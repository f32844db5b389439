"""``autohier robustness``: text, JSON, CSV and figure, on own clips and on other prepared datasets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from autohier.records.parts import read_whole_tests
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.sources.clips_without_joints import take_joints_away
from support.sources.tiny_clips import OVERRIDES, ColourReader, prepare_tiny_clips
from support.sweep_runs.exported_models import export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

QUICK = ("--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """Folder of the finished sweeps ``frames`` and ``joints``, and of an exported ``model`` of the latter."""
    out = tmp_path_factory.mktemp("sweeps")
    finish_sweep(out, "frames", tiny_data)
    finish_sweep(out, "joints", tiny_data, *OVERRIDES["skeletons"])
    export_tiny(out, "joints", out / "model")
    return out


def test_models_are_compared_and_drawn(autohier: Autohier, sweeps: Path, tmp_path: Path) -> None:
    figure = tmp_path / "robustness.svg"
    options = ("--out", sweeps, *QUICK, "--only", "drop,occlusion", "--figure", figure)
    ended = autohier("robustness", "joints", "frames", *options)
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[0] == ["corruption", "level", "joints", "frames"]
    assert [line[2] for line in lines if line[:2] == ["joint", "drop"]] == ["1/8", "1/4", "1/2", "1"]
    # Each corruption has cells of the model that it affects alone: accuracy, interval and change.
    assert all(len(line) == 6 for line in lines if line[:2] == ["joint", "drop"])
    assert all(len(line) == 5 for line in lines if line[:1] == ["occlusion"])
    assert ended.out.splitlines()[-1] == f"figure written to {figure}"
    assert figure.read_bytes().startswith(b"<?xml")
    assert autohier("robustness", "joints", *options).error.startswith(
        "--figure must name a file that does not"
    )


def test_rows_for_programs(autohier: Autohier, sweeps: Path) -> None:
    options = ("robustness", "joints", "--out", sweeps, *QUICK, "--only", "rate", "--seed", 5)
    found = json.loads(autohier(*options, "--json").out)["robustness"]
    assert [(row["corruption"], row["strength"]) for row in found] == [
        ("none", None),
        ("frame rate", 0.5),
        ("frame rate", 0.25),
        ("frame rate", 0.125),
    ]
    table = list(csv.DictReader(autohier(*options, "--csv").out.splitlines()))
    assert [float(row["accuracy"]) for row in table] == [row["accuracy"] for row in found]
    assert {row["num_clips"] for row in table} == {"24"}


def test_test_clips_are_recorded_and_validation_clips_are_not(autohier: Autohier, sweeps: Path) -> None:
    records = SweepFolder(sweeps / "frames").records
    options = ("robustness", "frames", "--out", sweeps, *QUICK, "--only", "none")
    autohier(*options)
    assert not read_whole_tests(records)
    ended = autohier(*options, "--split", "test", "--no-refit")
    assert f"frames: the accuracy on test clips as they are is recorded in {records}" in ended.out
    (row,) = read_whole_tests(records)
    assert (row.num_clips, row.trial) == (48, "t0000")
    assert f"{row.accuracy:.1%}" in ended.out


def test_an_exported_model_is_measured_on_named_data_and_on_other_poses(
    autohier: Autohier, sweeps: Path, tiny_data: Path, tmp_path: Path
) -> None:
    prepare_tiny_clips(tmp_path / "others", ColourReader(name="others"))
    (tmp_path / "others" / "demo").rename(tmp_path / "others" / "lab")
    options = ("robustness", sweeps / "model", *QUICK, "--only", "none", "--data", tiny_data / "demo")
    found = json.loads(autohier(*options, "--data", tmp_path / "others" / "lab", "--json").out)["robustness"]
    assert [(row["corruption"], row["level"]) for row in found] == [("none", ""), ("poses", "lab")]
    assert found[0]["clips"] == "test clips of cross-subject of demo"
    assert [row["num_clips"] for row in found] == [48, 48]
    assert found[1]["change"] == 0  # the same poses


def test_clips_without_joints_are_named_apart_from_the_rows(
    autohier: Autohier, sweeps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = prepare_tiny_clips(tmp_path, ColourReader(name="others"))
    take_joints_away(monkeypatch, others, range(0, len(others), 2))
    options = ("robustness", "joints", "--out", sweeps, *QUICK, "--only", "none", "--data", others.folder)
    ended = autohier(*options, "--csv")
    assert len(ended.out.splitlines()) == 3  # header, clips as they are, other poses
    expected = f"note: 12 of 24 clips of {others.folder} have no joints for joints:t0000, which guesses"
    assert ended.err.startswith(expected)


def test_wrong_options_are_refused(autohier: Autohier, sweeps: Path) -> None:
    options = ("robustness", "joints", "--out", sweeps)
    assert autohier(*options, "--only", "drops").error == "unknown corruption 'drops': did you mean 'drop'?"
    assert autohier(*options, "joints").error.startswith("each model must be named once")
    assert autohier("robustness", sweeps / "model").error.startswith("an exported model has no clips of its")
    assert autohier(*options, "--split", "validation", "--refit").error.startswith("--refit trains on the")
