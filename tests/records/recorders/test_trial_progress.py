"""Progress of running trials: what the file says after each event, and that damaged files are left out."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.records.recorders.trial_progress import ProgressWriter, progress_file, read_progress
from autohier.records.recorders.trial_recorder import TrialRecorder
from support.fakes.fake_outcomes import fake_config, fake_epoch, fake_outcome, replay


def test_the_file_follows_the_trial(tmp_path: Path) -> None:
    config = fake_config()
    writer = ProgressWriter(tmp_path, "t0007", config)
    # A stored stage is over in a moment: nothing is written.
    writer.on_stage_start(PASS_1, 0, reused=True)
    writer.on_epoch_end(PASS_1, 0, fake_epoch(0, 60, 1), reused=True)
    assert read_progress(tmp_path) == {}
    writer.on_stage_wait(PASS_2, 0, "t0003")
    waiting = read_progress(tmp_path)["t0007"]
    assert (waiting.label, waiting.waits_for, waiting.epoch) == ("pass 2", "t0003", 0)
    assert (waiting.num_epochs, waiting.epoch_s) == (config.pass_2.epochs, None)
    writer.on_stage_start(PASS_2, 0, reused=False)
    assert read_progress(tmp_path)["t0007"].waits_for == ""
    # Two epochs come from a checkpoint; the third is trained, in one second.
    for epoch in range(3):
        writer.on_epoch_end(PASS_2, 0, fake_epoch(epoch, 60, 3), reused=epoch < 2)
    trained = read_progress(tmp_path)["t0007"]
    assert (trained.epoch, trained.epoch_s, trained.accuracy) == (3, 1.0, 0.5)
    writer.on_stage_start(PRUNE, 1, reused=False)
    pruning = read_progress(tmp_path)["t0007"]
    assert (pruning.kind, pruning.pass_index, pruning.epoch, pruning.accuracy) == ("prune", 1, 0, None)
    writer.end()
    writer.end()
    assert read_progress(tmp_path) == {}


def test_epochs_are_those_of_all_folds(tmp_path: Path) -> None:
    config = fake_config()
    folds = config.protocol.model_copy(update={"validation": "folds", "num_folds": 4})
    writer = ProgressWriter(tmp_path, "t0000", config.model_copy(update={"protocol": folds}))
    writer.on_stage_start(PASS_1, 0, reused=False)
    assert read_progress(tmp_path)["t0000"].num_epochs == 4 * config.pass_1.epochs


def test_a_recorder_removes_the_file_at_the_end(tmp_path: Path) -> None:
    outcome = fake_outcome()
    recorder = TrialRecorder(
        *(tmp_path / "records", tmp_path / "tensorboard", outcome.config),
        trial="t0000",
        number=0,
        trial_index=0,
        source="sampled",
    )
    replay(outcome, recorder.history)
    replay(outcome, recorder.progress)
    assert progress_file(tmp_path / "records", "t0000").is_file()
    recorder.complete(outcome)
    assert not progress_file(tmp_path / "records", "t0000").exists()


@pytest.mark.parametrize(
    "change",
    [
        *({"epoch": "3"}, {"updated_at": "2026-01-01"}, {"trial": "t0001"}, {"epoch_s": [1]}, None),
        *({"epoch_s": float("nan")}, {"epoch_s": float("inf")}, {"num_epochs": 10**400}, {"epoch": -1}),
    ],
)
def test_a_damaged_file_is_left_out(tmp_path: Path, change: dict[str, object] | None) -> None:
    ProgressWriter(tmp_path, "t0000", fake_config()).on_stage_start(PASS_1, 0, reused=False)
    path = progress_file(tmp_path, "t0000")
    content = json.loads(path.read_text())
    path.write_text("{" if change is None else json.dumps(content | change))
    assert read_progress(tmp_path) == {}


def test_a_full_disk_ends_no_trial(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "running").write_text("a file in the place of the folder")
    writer = ProgressWriter(tmp_path, "t0000", fake_config())
    with caplog.at_level(logging.WARNING):
        writer.on_stage_start(PASS_1, 0, reused=False)
        writer.on_epoch_end(PASS_1, 0, fake_epoch(0, 60, 1), reused=False)
    assert len(caplog.records) == 1
    writer.end()
