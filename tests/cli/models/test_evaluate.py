"""``autohier evaluate``: on a split of the model's own clips, and on another prepared dataset."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from autohier.records.parts import read_whole_tests
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.sources.tiny_clips import CLASS_NAMES, ColourReader, prepare_tiny_clips
from support.sweep_runs.exported_models import export_tiny
from support.sweep_runs.finished_sweeps import finish_sweep

NAMES = ("dark red", "dark green", "Dark_Blue", "black", "bright green", "white")
READER = ColourReader(name="other", class_names=NAMES)
CLIPS = {clip.clip_id: clip for clip in ColourReader().find_clips(Path())}
QUICK = ("--no-refit", "--device", "cpu", "--threads", 1)


@pytest.fixture
def sweep(tmp_path: Path, tiny_data: Path) -> Path:
    """Folder of a finished sweep ``s``, and the prepared dataset ``other/demo``."""
    finish_sweep(tmp_path, "s", tiny_data)
    prepare_tiny_clips(tmp_path / "other", READER)
    return tmp_path


def test_predictions_of_the_test_split_are_written_with_superclasses(
    autohier: Autohier, tmp_path: Path, tiny_data: Path
) -> None:
    _, (outcome,) = finish_sweep(tmp_path, "s", tiny_data)
    table = tmp_path / "own.csv"
    options = (*QUICK, "--out", tmp_path, "--predictions", table)
    ended = autohier("evaluate", "s", *options)
    assert f"predictions written to {table}" in ended.out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 48  # two test subjects
    assert all(CLASS_NAMES[CLIPS[row["clip"]].label] == row["true"] for row in rows)
    right = sum(row["class_1"] == row["true"] for row in rows)
    assert f"{right / 48:.1%}" in ended.out
    for level, assignment in enumerate(outcome.kept.hierarchy.assignments[:-1], start=1):
        guesses = {int(row[f"superclass_{level}"]) for row in rows}
        assert guesses <= set(assignment)
        assert all(0 < float(row[f"superclass_probability_{level}"]) <= 1 for row in rows)
    assert autohier("evaluate", "s", *options).error.startswith(
        "--predictions must name a file that does not"
    )


def test_another_dataset_is_evaluated_by_names_of_classes_and_not_recorded(
    autohier: Autohier, sweep: Path
) -> None:
    table = sweep / "other.csv"
    other = sweep / "other" / "demo"
    ended = autohier(*("evaluate", "s", "--data", other, *QUICK, "--out", sweep, "--predictions", table))
    assert (ended.code, ended.err) == (0, "")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    right = sum(row["class_1"] == row["true"] for row in rows)
    first, *lines = ended.out.splitlines()
    assert first.startswith(f"s:t0000 on all clips of {other}: accuracy {right / 96:.1%} of 96 clips, ")
    assert lines == [
        f"{other} has clips of 4 of the model's 6 classes, by name",
        "  spelled differently: Dark_Blue = dark blue",
        "  left out: 48 clips of 2 of its 6 classes, unknown to the model: black (24), white (24)",
        "  no clips of 2 classes that the model may still guess: bright red, bright blue",
        # Three training subjects and that of validation.
        "  WARNING: 64 clips have the id of a clip that trained the model: the accuracy may be too high",
        "not recorded: a result on other clips is no test result of the sweep",
        f"predictions written to {table}",
    ]
    assert {row["true"] for row in rows} == {"dark red", "dark green", "dark blue", "bright green"}
    assert not read_whole_tests(SweepFolder(sweep / "s").records)


def test_an_exported_model_is_evaluated_on_named_data_for_programs(
    autohier: Autohier, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_tiny(sweep, "s", sweep / "model")
    (sweep / "data").mkdir()
    (sweep / "other" / "demo").rename(sweep / "data" / "lab-depth")  # the only modality of "lab"
    monkeypatch.chdir(sweep)
    ended = autohier("evaluate", sweep / "model", "--data", "lab", "--json", "--device", "cpu")
    found = json.loads(ended.out)
    evaluation, clips = found["evaluation"], found["clips"]
    right = sum(clip["classes"][0] == clip["true"] for clip in clips)
    assert evaluation["accuracy"] == pytest.approx(right / 96)
    assert (evaluation["model"], evaluation["num_clips"]) == ("s:t0000", 96)
    assert (evaluation["recorded"], evaluation["refit"]) == (False, False)
    assert [len(clips[0][name]) for name in ("classes", "superclasses")] == [5, 2]
    assert autohier("evaluate", sweep / "model").error == (
        f"an exported model has no clips of its own, but got {sweep / 'model'}: name a prepared dataset with "
        "--data, or the trial in place of the model"
    )


def test_wrong_data_and_splits_are_refused(autohier: Autohier, sweep: Path, tiny_data: Path) -> None:
    options = ("evaluate", "s", *QUICK, "--out", sweep, "--data")
    other = sweep / "other" / "demo"
    assert autohier(*options, "lab").error.startswith(
        "--data must name a prepared dataset, or a folder of prepared datasets, but got lab: "
    )
    assert autohier(*options, other, "--split", "validation").error.startswith("the validation split is that")
    assert autohier(*options, tiny_data / "demo").error.startswith("--data must name other clips than those")
    assert autohier(*options, tiny_data, "--data", sweep).error.startswith(
        "--data may name one folder of prepared datasets"
    )
    assert autohier(*options, tiny_data, "--split", "all").error.startswith("--split all is for the clips of")


def test_the_folder_of_prepared_datasets_may_have_moved(
    autohier: Autohier, sweep: Path, tiny_data: Path
) -> None:
    options = ("evaluate", "s", *QUICK, "--out", sweep, "--split", "validation")
    assert autohier(*options, "--data", tiny_data).out == autohier(*options).out
