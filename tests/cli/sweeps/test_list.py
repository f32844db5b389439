"""``autohier list``: every sweep with its state, also one whose files are damaged."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from autohier.core.training.metrics import Evaluation
from autohier.records.reader import read_records
from autohier.records.rows import evaluation_row
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.locking.sweep_lock import hold_sweep, holder_file
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.fakes.fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row
from support.sweep_runs.plans import make_plan, make_provenance


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Sweeps that are finished, stopped, damaged, and interrupted by the death of their driver."""
    for name in ("finished", "stopped", "dead"):
        folder = SweepFolder(tmp_path / name)
        folder.write_plan(make_plan(tmp_path, name=name, study_name=name, trials=1), make_provenance())
        outcome = fake_outcome(72, (90, 96))
        RecordWriter(folder.records).write_ended(
            complete_row(fake_row(), outcome, START + MINUTE), outcome.stages
        )
    finished = SweepFolder(tmp_path / "finished")
    (row,) = read_records(finished.records).trials
    tested = evaluation_row(row, "pass 1, refit", Evaluation(1.0, (0.5,), fake_confusion(60)), START)
    RecordWriter(finished.records).write_test_results(row.trial, [tested])
    dead = SweepFolder(tmp_path / "dead")
    RecordWriter(dead.records).write_trial(fake_row("t0001"))
    dead.lock_file.touch()
    holder_file(dead.lock_file).write_text("process 17 on node3")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "sweep.json").write_text("{")
    return tmp_path


def test_states_of_sweeps(autohier: Autohier, out: Path) -> None:
    listed = autohier("list", "--out", out, "--json")
    assert (listed.code, listed.err) == (0, "")
    sweeps = {each["sweep"]: each for each in json.loads(listed.out)["sweeps"]}
    assert {name: each["state"] for name, each in sweeps.items()} == {
        "damaged": "damaged",
        "dead": "driver dead",
        "finished": "finished",
        "stopped": "stopped",
    }
    dead = sweeps["dead"]
    assert dead["driver"] == "process 17 on node3"
    assert (dead["num_complete"], dead["num_interrupted"], dead["num_running"]) == (1, 1, 0)
    # 96 of 120 clips; two epochs each of pass 2 and the pruning pass, and pass 1 reused.
    assert dead["accuracy"] == 0.8
    assert dead["low"] < dead["estimate"] < dead["high"]
    assert (dead["epochs_trained"], dead["epochs_reused"]) == (4, 2)
    assert "sweep.json must be a sweep's description" in sweeps["damaged"]["fault"]


def test_a_held_sweep_is_running(autohier: Autohier, out: Path) -> None:
    with hold_sweep(SweepFolder(out / "dead").lock_file):
        rows = {
            row["sweep"]: row
            for row in csv.DictReader(io.StringIO(autohier("list", "--out", out, "--csv").out))
        }
    assert (rows["dead"]["state"], rows["dead"]["num_running"]) == ("running", "1")
    assert rows["damaged"]["accuracy"] == ""
    # A driver that ends by itself leaves no name behind.
    (row,) = [line for line in autohier("list", "--out", out).out.splitlines() if line.startswith("dead ")]
    assert "stopped" in row
    assert "1 of 1 trial: 1 complete, 1 interrupted" in row
    assert "ago" in row


def test_no_sweep_and_no_folder(autohier: Autohier, tmp_path: Path) -> None:
    assert "no sweep in" in autohier("list", "--out", tmp_path).out
    assert json.loads(autohier("list", "--out", tmp_path, "--json").out) == {"sweeps": []}
    assert "must exist" in autohier("list", "--out", tmp_path / "none").error
    assert "cannot be combined" in autohier("list", "--out", tmp_path, "--json", "--csv").error
