"""Records of work outside the trials: interruptions do not make an epoch count twice."""

from __future__ import annotations

import math
from pathlib import Path

from autohier.records.reader import read_records
from autohier.records.recorders.work_recorder import WorkRecorder
from autohier.records.schema import WorkRow


def _row(folder: Path) -> WorkRow:
    (row,) = read_records(folder).work
    return row


def test_every_trained_epoch_is_written(tmp_path: Path) -> None:
    work = WorkRecorder(tmp_path, "pass 1", accelerators=0.5)
    work.add_epoch("pass 1", 0.25, 3.0, reused=False)
    work.add_epoch("pass 1", 0.5, 4.0, reused=False)
    row = _row(tmp_path)
    assert (row.stage, row.accuracy, row.complete) == ("pass 1", 0.5, False)
    assert (row.epochs_computed, row.epochs_reused, row.seconds_computed) == (2, 0, 7.0)
    work.end()
    assert _row(tmp_path).complete


def test_an_interrupted_epoch_counts_as_trained_once(tmp_path: Path) -> None:
    first = WorkRecorder(tmp_path, "pass 1", accelerators=0.0)
    first.add_epoch("pass 1", 0.25, 3.0, reused=False)
    # The checkpoint of the epoch, then the second epoch; later the whole stage is in the store.
    second = WorkRecorder(tmp_path, "pass 1", accelerators=0.0)
    second.add_epoch("pass 1", 0.25, 3.0, reused=True)
    second.add_epoch("pass 1", 0.5, 4.0, reused=False)
    second.end()
    third = WorkRecorder(tmp_path, "pass 1", accelerators=0.0)
    third.reuse(2, 7.0)
    third.end()
    row = _row(tmp_path)
    assert (row.epochs_computed, row.epochs_reused, row.seconds_computed) == (2, 0, 7.0)


def test_epochs_of_other_sweeps_count_as_reused(tmp_path: Path) -> None:
    for _ in range(2):
        work = WorkRecorder(tmp_path, "pass 1", accelerators=0.0)
        work.reuse(24, 48.0)
        work.end()
    row = _row(tmp_path)
    assert (row.epochs_computed, row.epochs_reused, row.seconds_reused) == (0, 24, 48.0)


def test_a_refit_has_no_accuracy(tmp_path: Path) -> None:
    work = WorkRecorder(tmp_path, "refit of t0003", accelerators=0.0)
    work.add_epoch("pass 2", math.nan, 3.0, reused=False)
    assert _row(tmp_path).accuracy is None
