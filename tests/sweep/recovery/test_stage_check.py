"""A stage store without the stages of the best trial is not the one of the sweep."""

from __future__ import annotations

import shutil
from pathlib import Path

from autohier.records.reader import read_records
from autohier.sweep.recovery.stage_check import lost_stages_text
from support.sweep_runs.recorded_sweeps import open_recorded_sweep


def test_lost_stages_of_the_best_trial_are_counted(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path)
    assert lost_stages_text(read_records(sweep.folder.records), sweep.store) == ""
    sweep.complete(96, 90)
    sweep.complete(70)
    records = read_records(sweep.folder.records)
    assert lost_stages_text(records, sweep.store) == ""
    shutil.rmtree(tmp_path / "stages" / "prune")
    text = lost_stages_text(records, sweep.store)
    assert f"{tmp_path}/stages lacks 1 of the 3 stages of t0000, the best trial" in text
    assert "with --out" in text


def test_stages_of_other_trials_may_be_collected(tmp_path: Path) -> None:
    sweep = open_recorded_sweep(tmp_path)
    sweep.complete(96)
    sweep.complete(70, 60)
    shutil.rmtree(tmp_path / "stages" / "prune")
    assert lost_stages_text(read_records(sweep.folder.records), sweep.store) == ""
