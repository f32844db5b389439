"""Part files of the records, one by one: reading all that are whole, and naming those that are damaged."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from autohier.errors import InputError
from autohier.records.reader import Records, RowT, part_files, read_part, trial_of
from autohier.records.schema import ROW_FOLDERS, EpochRow, EvaluationRow, Row, StageRow, TrialRow, WorkRow

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DamagedPart:
    """A part file that cannot be read, or that holds rows of another trial."""

    row_type: type[Row]
    path: Path
    reason: str

    @property
    def trial(self) -> str:
        """Name of the trial that the file should hold, by its own name."""
        return trial_of(self.path)


def read_whole_parts(
    folder: Path, row_types: Collection[type[Row]] = tuple(ROW_FOLDERS)
) -> tuple[Records, tuple[DamagedPart, ...]]:
    """Read the rows of all whole part files in a records folder, and list the damaged files.

    Args:
        folder: the records folder.
        row_types: kinds of rows to read.
    """
    damaged: list[DamagedPart] = []

    def rows(row_type: type[RowT]) -> tuple[RowT, ...]:
        return tuple(_rows(folder, row_type, damaged)) if row_type in row_types else ()

    records = Records(rows(TrialRow), rows(StageRow), rows(EpochRow), rows(EvaluationRow), rows(WorkRow))
    return records, tuple(damaged)


def read_whole_tests(folder: Path) -> tuple[EvaluationRow, ...]:
    """Read the test results in a records folder; damaged files are logged and left out."""
    rows: list[EvaluationRow] = []
    for path in part_files(folder, EvaluationRow):
        try:
            rows += read_part(path, EvaluationRow)
        except InputError as error:
            _LOG.warning("a test result is left out, as its file is damaged: %s", error.got)
    return tuple(rows)


def _rows(folder: Path, row_type: type[RowT], damaged: list[DamagedPart]) -> Iterator[RowT]:
    for path in part_files(folder, row_type):
        try:
            rows = read_part(path, row_type)
        except InputError as error:
            damaged.append(DamagedPart(row_type, path, str(error.got)))
            continue
        yield from rows
