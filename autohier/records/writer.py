"""Writes records: one Parquet part file per kind of row and trial, each there whole or not at all.

::

    records/trials/t0007.parquet    one row
    records/stages/t0007.parquet    one row per finished stage
    records/epochs/t0007.parquet    one row per epoch
    records/tests/t0007.parquet     one row per reading of the test split
    records/tests/t0007-TIME.parquet    one row: a reading that was asked for

A trial's part replaces its earlier one, so a trial that runs again has its rows once, and
``pandas.read_parquet("records/trials")`` reads the whole sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from autohier.core.stages.result import StageResult
from autohier.files import write_atomically
from autohier.records.progress import UnfinishedStage
from autohier.records.rows import epoch_rows, stage_rows
from autohier.records.schema import ROW_FOLDERS, EpochRow, ReadingRow, Row, StageRow, TrialRow, parquet_schema


class RecordWriter:
    """Keeps the records of a sweep; processes may share a folder as long as each trial has one writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trial_started(self, row: TrialRow) -> None:
        """Write the row of a trial that begins.

        Raises:
            OSError: where the folder cannot be written; so do the methods below.
        """
        self._write(TrialRow, row.trial, [row])

    def trial_ended(
        self, row: TrialRow, stages: Sequence[StageResult], unfinished: UnfinishedStage | None = None
    ) -> None:
        """Write all rows of a trial that is complete, stopped or failed.

        The trial's own row comes last: who reads that it ended finds the rest.
        """
        self._write(StageRow, row.trial, stage_rows(row.trial, stages))
        self._write(EpochRow, row.trial, epoch_rows(row.trial, stages, unfinished))
        self._write(TrialRow, row.trial, [row])

    def trial_taken_back(self, row: TrialRow) -> None:
        """Write that a failed trial counts as untried; the rest of its rows stays until it runs again."""
        self._write(TrialRow, row.trial, [replace(row, state="TAKEN BACK")])

    def test_read(self, trial: str, readings: Sequence[ReadingRow]) -> None:
        """Write a trial's readings of the test split, in place of earlier ones."""
        self._write(ReadingRow, trial, readings)

    def model_read(self, reading: ReadingRow) -> None:
        """Write one more reading of the test split, beside earlier ones."""
        self._write(ReadingRow, f"{reading.trial}-{reading.read_at:%Y%m%dT%H%M%S.%f}", [reading])

    def _write(self, row_type: type[Row], part: str, rows: Sequence[Row]) -> None:
        table = pa.Table.from_pylist([asdict(row) for row in rows], schema=parquet_schema(row_type))
        buffer = pa.BufferOutputStream()
        # A part has few rows, mostly of numbers: compressed it is hardly smaller, and takes twice as long.
        pq.write_table(table, buffer, compression="none")
        path = self._folder / ROW_FOLDERS[row_type] / f"{part}.parquet"
        write_atomically(path, buffer.getvalue().to_pybytes())
