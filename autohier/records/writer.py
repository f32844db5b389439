"""Writer of records: one Parquet part file per kind of row and trial, each written atomically.

::

    records/trials/t0007.parquet    one row
    records/stages/t0007.parquet    one row per finished stage
    records/epochs/t0007.parquet    one row per epoch
    records/tests/t0007.parquet     one row per test result of the sweep's winner
    records/tests/t0007-TIME.parquet    one row: a test result of ``autohier evaluate``
    records/work/pass-1.parquet     one row: work outside the trials
    records/running/t0007.json      progress of the running trial; see trial_progress
    records/own-epochs/t0007.txt    epochs that the trial trained, in any of its processes; see own_epochs

A trial that runs again replaces its parts, so that every row exists once, and
``pandas.read_parquet("records/trials")`` reads the whole sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa

from autohier.core.stages.result import StageResult
from autohier.files import write_atomically
from autohier.records.history import UnfinishedStage
from autohier.records.rows import epoch_rows, stage_rows
from autohier.records.schema import (
    ROW_FOLDERS,
    EpochRow,
    EvaluationRow,
    Row,
    StageRow,
    TrialRow,
    WorkRow,
    parquet_schema,
)
from autohier.records.sealed_parquet import write_sealed


class RecordWriter:
    """Writes the records of a sweep; processes may share a folder if each trial has one writer.

    Raises:
        OSError: from every method, if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_trial(self, row: TrialRow) -> None:
        """Write the row of a trial alone, e.g. when it starts."""
        self._write(TrialRow, row.trial, [row])

    def write_ended(
        self, row: TrialRow, stages: Sequence[StageResult], unfinished: UnfinishedStage | None = None
    ) -> None:
        """Write all rows of a trial that is complete, stopped or failed.

        The trial's own row comes last, so that readers of it find the others.
        """
        self._write(StageRow, row.trial, stage_rows(row.trial, stages))
        self._write(EpochRow, row.trial, epoch_rows(row.trial, stages, unfinished))
        self._write(TrialRow, row.trial, [row])

    def write_requeued(self, row: TrialRow) -> None:
        """Write that a failed trial will run again; its other rows stay until then."""
        self._write(TrialRow, row.trial, [replace(row, state="REQUEUED")])

    def write_test_results(self, trial: str, test_results: Sequence[EvaluationRow]) -> None:
        """Write the test results of a trial; they replace earlier ones of this method."""
        self._write(EvaluationRow, trial, test_results)

    def add_test_result(self, result: EvaluationRow) -> None:
        """Write one more test result, in addition to earlier ones."""
        self._write(EvaluationRow, f"{result.trial}-{result.evaluated_at:%Y%m%dT%H%M%S.%f}", [result])

    def write_work(self, row: WorkRow) -> None:
        """Write the progress of work outside the trials, replacing its earlier row."""
        self._write(WorkRow, row.name.replace(" ", "-"), [row])

    def _write(self, row_type: type[Row], part: str, rows: Sequence[Row]) -> None:
        table = pa.Table.from_pylist([asdict(row) for row in rows], schema=parquet_schema(row_type))
        path = self._folder / ROW_FOLDERS[row_type] / f"{part}.parquet"
        write_atomically(path, write_sealed(table))
