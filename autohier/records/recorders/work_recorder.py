"""Recorder of work outside the trials, so that a sweep's progress and effort are whole."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from autohier.records.reader import read_rows
from autohier.records.schema import WorkRow
from autohier.records.writer import RecordWriter


class WorkRecorder:
    """Writes the row of one piece of work after every epoch that it trains.

    If the work was interrupted before, its row continues: epochs that the sweep trained and now reads from a
    checkpoint or the store still count as trained, once.

    Args:
        records: the sweep's records folder.
        name: see `WorkRow`.
        accelerators: number of accelerators that the work holds, or its share of one.

    Raises:
        InputError: if an earlier row is damaged.
        OSError: if the folder cannot be written, also in the methods.
    """

    def __init__(self, records: Path, name: str, *, accelerators: float) -> None:
        self._writer = RecordWriter(records)
        new = WorkRow(name, False, "", None, 0, 0, 0.0, 0.0, accelerators, datetime.now(UTC))
        self._before = next((row for row in read_rows(records, WorkRow) if row.name == name), new)
        self._row = replace(self._before, complete=False)
        self._num_reused, self._reused_s = 0, 0.0

    def add_epoch(self, stage: str, accuracy: float, seconds: float, *, reused: bool) -> None:
        """Count an epoch.

        Args:
            stage: label of its stage.
            accuracy: validation accuracy; NaN in a refit.
            seconds: time that it took.
            reused: read from the store or a checkpoint.
        """
        if reused:
            self.reuse(1, seconds)
            return
        self._row = replace(
            self._row,
            stage=stage,
            accuracy=None if math.isnan(accuracy) else accuracy,
            epochs_computed=self._row.epochs_computed + 1,
            seconds_computed=self._row.seconds_computed + seconds,
            updated_at=datetime.now(UTC),
        )
        self._writer.write_work(self._row)

    def reuse(self, num_epochs: int, seconds: float) -> None:
        """Count epochs that are read from the store or a checkpoint, to be written later."""
        self._num_reused += num_epochs
        self._reused_s += seconds
        num_foreign = self._num_reused - self._before.epochs_computed
        if num_foreign > self._before.epochs_reused:
            share = num_foreign / self._num_reused
            self._row = replace(self._row, epochs_reused=num_foreign, seconds_reused=share * self._reused_s)

    def end(self) -> None:
        """Record that the work is finished."""
        self._writer.write_work(replace(self._row, complete=True))
