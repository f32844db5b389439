"""``autohier status``: its output apart from the leaderboard, on sweeps that never ran."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from autohier.config.search.loading import load_space
from autohier.core.stages.kinds.hac import PASS_2
from autohier.core.training.metrics import Evaluation
from autohier.data.datasets.registry import open_dataset
from autohier.data.store.reader import ClipStore
from autohier.records.reader import read_records
from autohier.records.recorders.trial_progress import ProgressWriter
from autohier.records.recorders.work_recorder import WorkRecorder
from autohier.records.rows import evaluation_row
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.locking.sweep_lock import hold_sweep, holder_file
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.fakes.fake_outcomes import (
    MINUTE,
    START,
    fake_config,
    fake_confusion,
    fake_outcome,
    fake_row,
)
from support.sweep_runs.plans import make_plan, make_provenance


def _write_sweep(
    out: Path, name: str, *changes: str, protocol: str = "cross-subject", **options: Any
) -> None:
    """Write a sweep of one trial with half of the test clips correct; its clips may be in ``out/data``."""
    folder = SweepFolder(out / name)
    space = load_space("demo", [f"protocol.name={protocol}", *changes])
    plan = make_plan(out / "data", name=name, study_name=name, trials=1, space=space, **options)
    folder.write_plan(plan, make_provenance())
    outcome = fake_outcome(72, (90, 96))
    row = replace(complete_row(fake_row(), outcome, START + MINUTE), protocol=protocol)
    writer = RecordWriter(folder.records)
    writer.write_ended(row, outcome.stages)
    evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
    writer.write_test_results(row.trial, [evaluation_row(row, "prune 1", evaluation, START)])


def test_superclasses_are_compared_with_those_of_the_dataset(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    _write_sweep(tmp_path, "one")
    without = autohier("status", "one", "--out", tmp_path)
    assert (without.code, without.err) == (0, "")
    assert "best config: t0000" in without.out
    assert "adjusted Rand" not in without.out
    # The fake trial's levels are k % 2 and k % 4, the demo's 0 0 1 1 and 0 1 2 3, each repeated three
    # times: the fours are equal; of the twos, 4 * 3 pairs are together in both, and 30 * 30 / 66 expected.
    demo = open_dataset("demo")
    manifest = tiny_clips.manifest.model_copy(update={"levels": demo.levels, "class_names": demo.class_names})
    manifest.write(tmp_path / "data" / "demo" / "manifest.json")
    chance = 30 * 30 / 66
    agreement = f"2 found and 2 given: {(12 - chance) / (30 - chance):.2f}, 4 found and 4 given: 1.00"
    assert agreement in autohier("status", "one", "--out", tmp_path).out


def test_clips_of_equal_content_are_counted_in_status_and_page(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "kept", num_shared_test_clips=3)
    _write_sweep(tmp_path, "dropped", num_left_out_clips=2)
    for name, text in (
        ("kept", "WARNING: 3 test clips have the content of a clip that trains"),
        ("dropped", "duplicates: 2 training clips left out, which have the content of a test clip"),
    ):
        assert text in autohier("status", name, "--out", tmp_path).out
        page = tmp_path / f"{name}.html"
        assert autohier("report", name, "--sweeps", tmp_path, "--out", page).code == 0
        assert text in page.read_text(encoding="utf-8")


def test_clips_with_persons_of_an_earlier_rule_are_a_warning(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    _write_sweep(tmp_path, "one")
    folder = tmp_path / "data" / "demo"
    for dataset, is_earlier in (("demo", False), ("ntu60", True)):
        tiny_clips.manifest.model_copy(update={"dataset": dataset, "levels": ()}).write(
            folder / "manifest.json"
        )
        ended = autohier("status", "one", "--out", tmp_path)
        assert ended.code == 0
        assert (f"WARNING: the clips in {folder} were prepared by an earlier rule" in ended.out) == is_earlier


def test_given_superclasses_are_not_compared_with_themselves(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    _write_sweep(tmp_path, "given", "hierarchy=given")
    tiny_clips.manifest.write(tmp_path / "data" / "demo" / "manifest.json")
    assert "adjusted Rand" not in autohier("status", "given", "--out", tmp_path).out


def test_a_finished_sweep_is_extended_and_another_continued(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "one")
    lines = autohier("status", "one", "--out", tmp_path).out.splitlines()
    assert lines[0] == "sweep one of demo, started 2026-01-01 12:00 UTC, not running"
    assert lines[-2:] == [
        f"view:     tensorboard --logdir {tmp_path}/one/tensorboard",
        f"continue: autohier resume {tmp_path}/one",
    ]
    _test_winner(SweepFolder(tmp_path / "one"))
    lines = autohier("status", "one", "--out", tmp_path).out.splitlines()
    assert lines[-1] == f"extend:   autohier resume {tmp_path}/one --trials 2"


def _test_winner(folder: SweepFolder) -> None:
    (row,) = read_records(folder.records).trials
    evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
    tested = [evaluation_row(row, "pass 1, refit", evaluation, START)]
    RecordWriter(folder.records).write_test_results(row.trial, tested)


def test_a_sweep_that_its_budget_ended_is_extended_by_its_budget(autohier: Autohier, tmp_path: Path) -> None:
    for name, options, text in (
        ("epochs", {"budget_epochs": 500}, "--budget-epochs 1000"),
        ("hours", {"budget_hours": 1.25}, "--budget-hours 2.5"),
    ):
        _write_sweep(tmp_path, name, **options)
        _test_winner(SweepFolder(tmp_path / name))
        lines = autohier("status", name, "--out", tmp_path).out.splitlines()
        assert lines[-1] == f"extend:   autohier resume {tmp_path}/{name} {text}"


def test_a_sweep_whose_refits_are_missing_is_continued(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "two", "protocol.validation=clean", refits=2)
    _test_winner(SweepFolder(tmp_path / "two"))
    lines = autohier("status", "two", "--out", tmp_path).out.splitlines()
    assert lines[-1] == f"continue: autohier resume {tmp_path}/two"


def test_pass_1_shows_its_progress_before_the_first_trial(autohier: Autohier, tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "new")
    folder.write_plan(make_plan(tmp_path / "data", name="new"), make_provenance())
    WorkRecorder(folder.records, "pass 1", accelerators=0.0).add_epoch("pass 1", 0.25, 1.0, reused=False)
    lines = autohier("status", "new", "--out", tmp_path).out.splitlines()
    assert "trained 1 epoch (1 s), reused 0 epochs" in lines[1]
    assert lines[2].startswith("pass 1, shared by all trials: 1 of 24 epochs, validation accuracy 25.0% ")
    assert len(set(lines)) == len(lines)


def test_trials_of_a_dead_driver_are_interrupted(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "dead")
    folder = SweepFolder(tmp_path / "dead")
    RecordWriter(folder.records).write_trial(fake_row("t0001"))
    output = autohier("status", "dead", "--out", tmp_path).out
    assert "not running" in output
    assert "1 interrupted;" in output
    assert [line.split()[1] for line in output.splitlines() if line.lstrip().startswith("t0001")] == [
        "interrupted"
    ]
    with hold_sweep(folder.lock_file):
        output = autohier("status", "dead", "--out", tmp_path).out
    assert "1 running;" in output


def test_a_running_sweep_shows_its_trials_and_a_dead_driver_its_name(
    autohier: Autohier, tmp_path: Path
) -> None:
    _write_sweep(tmp_path, "live")
    folder = SweepFolder(tmp_path / "live")
    RecordWriter(folder.records).write_trial(fake_row("t0001"))
    writer = ProgressWriter(folder.records, "t0001", fake_config())
    writer.on_stage_start(PASS_2, 0, reused=False)
    num_epochs = fake_config().pass_2.epochs
    with hold_sweep(folder.lock_file):
        output = autohier("status", "live", "--out", tmp_path).out
        content = json.loads(autohier("status", "live", "--out", tmp_path, "--json").out)
    assert "Running now" in output
    (row,) = [line for line in output.splitlines() if f"0 of {num_epochs}" in line]
    assert row.startswith("t0001  pass 2")
    (running,) = content["running"]
    assert (running["trial"], running["stage"], running["num_epochs"]) == ("t0001", "pass 2", num_epochs)
    assert content["sweep"]["state"] == "running"
    holder_file(folder.lock_file).write_text("process 17 on node3")
    output = autohier("status", "live", "--out", tmp_path).out
    assert "its driver, process 17 on node3, died; what it finished is kept" in output
    assert "Running now" not in output


def test_status_as_json_and_csv(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "one")
    RecordWriter(SweepFolder(tmp_path / "one").records).write_trial(fake_row("t0001"))
    content = json.loads(autohier("status", "one", "--out", tmp_path, "--json").out)
    first, second = content["trials"]
    # 96 of 120 clips; half of the test clips are right.
    assert (first["rank"], first["state"], first["accuracy"], first["kept_pass"]) == (1, "complete", 0.8, 1)
    assert (second["rank"], second["state"], second["accuracy"]) == (None, "interrupted", None)
    result = content["result"]
    assert (result["accuracy"], result["stage"], result["num_refits"]) == (0.5, "prune 1", 0)
    assert (content["running"], content["time_left"]) == ([], None)
    rows = list(csv.DictReader(io.StringIO(autohier("status", "one", "--out", tmp_path, "--csv").out)))
    assert [row["trial"] for row in rows] == ["t0000", "t0001"]
    front = json.loads(autohier("status", "one", "--out", tmp_path, "--front", "--json").out)["front"]
    assert [(each["stage"], each["accuracy"]) for each in front] == [("prune 1", 0.8)]


def test_protocols_as_csv(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "one")
    _write_sweep(tmp_path, "two", protocol="cross-view")
    text = autohier("status", "one", "two", "--out", tmp_path, "--csv").out
    *views, mean = csv.DictReader(io.StringIO(text))
    assert [(row["sweep"], row["protocol"], row["accuracy"]) for row in views] == [
        ("one", "cross-subject", "0.5"),
        ("two", "cross-view", "0.5"),
    ]
    assert (mean["sweep"], mean["accuracy"], mean["refit_accuracy"]) == ("", "0.5", "")
    options = ("--out", tmp_path, "--front", "--json")
    assert "prints one sweep" in autohier("status", "one", "two", *options).error


def test_several_sweeps_are_averaged_over_their_protocols(autohier: Autohier, tmp_path: Path) -> None:
    _write_sweep(tmp_path, "one")
    _write_sweep(tmp_path, "two", protocol="cross-view")
    ended = autohier("status", "one", "two", "--out", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "mean of 2" in ended.out
    assert "50.0%" in ended.out
    assert "differ" not in ended.out
    _write_sweep(tmp_path, "other", "recognizer.width=0.5", "pass_1.epochs=3", protocol="cross-view")
    output = autohier("status", "one", "other", "--out", tmp_path).out
    assert output.endswith("also in recognizer, pass_1\n")
    assert (
        "cross-subject in one, cross-subject in one"
        in autohier("status", "one", "one", "--out", tmp_path).error
    )
