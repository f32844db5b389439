"""Reads records back: as typed rows for reports, as Arrow tables for everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from autohier.errors import InputError
from autohier.records.schema import ROW_FOLDERS, EpochRow, ReadingRow, Row, StageRow, TrialRow, parquet_schema
from autohier.settings.choice import Choice

RowT = TypeVar("RowT", TrialRow, StageRow, EpochRow, ReadingRow)


@dataclass(frozen=True)
class Records:
    """All records of a sweep, in the order of the trials' names."""

    trials: tuple[TrialRow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    epochs: tuple[EpochRow, ...] = ()
    tests: tuple[ReadingRow, ...] = ()

    def ranked(self) -> tuple[TrialRow, ...]:
        """Complete trials of the study, best first.

        By the mean validation accuracy of their setting over its seeds, then by their own, cost and name.
        """
        complete = [row for row in self.trials if row.state == "COMPLETE" and row.number is not None]
        means = {row.trial: mean(self.seeds_of(row)) for row in complete}

        def place(row: TrialRow) -> tuple[float, float, int, str]:
            return (-means[row.trial], -(row.accuracy or 0.0), row.multiply_adds or 0, row.trial)

        return tuple(sorted(complete, key=place))

    def seeds_of(self, trial: TrialRow) -> tuple[float, ...]:
        """Validation accuracies of a trial's setting, one for every seed it was run to its end with."""
        return self._accuracies[choice_of(trial).effect]

    @cached_property
    def _accuracies(self) -> dict[tuple[object, ...], tuple[float, ...]]:
        found: dict[tuple[object, ...], tuple[float, ...]] = {}
        for row in self.trials:
            if row.state == "COMPLETE" and row.number is not None and row.accuracy is not None:
                effect = choice_of(row).effect
                found[effect] = (*found.get(effect, ()), row.accuracy)
        return found

    def stages_of(self, trial: str) -> tuple[StageRow, ...]:
        """The finished stages of a trial, in order."""
        return tuple(row for row in self.stages if row.trial == trial)

    def tests_of(self, trial: str) -> tuple[ReadingRow, ...]:
        """The test readings of a trial."""
        return tuple(row for row in self.tests if row.trial == trial)


def choice_of(row: TrialRow) -> Choice:
    """What a trial drew."""
    return Choice(
        variant=row.variant,
        settings=json.loads(row.settings or "{}"),
        superclasses=row.superclasses,
        weight_ratio=row.weight_ratio,
        scope=row.scope,
        ratio=row.ratio,
        passes=row.passes,
    )


def read_records(folder: Path) -> Records:
    """Read all rows below a records folder; where there are none, the records are empty.

    Raises:
        InputError: where a file is damaged, naming it.
    """
    return Records(
        trials=read_rows(folder, TrialRow),
        stages=read_rows(folder, StageRow),
        epochs=read_rows(folder, EpochRow),
        tests=read_rows(folder, ReadingRow),
    )


def read_outcomes(folder: Path) -> Records:
    """Read trials and their stages alone: there are many epochs.

    Raises:
        InputError: where a file is damaged, naming it.
    """
    return Records(trials=read_rows(folder, TrialRow), stages=read_rows(folder, StageRow))


def read_rows(folder: Path, row_type: type[RowT]) -> tuple[RowT, ...]:
    """Read the rows of one kind.

    Raises:
        InputError: where a file is damaged, naming it.
    """
    return tuple(_row(row_type, values) for values in read_table(folder, row_type).to_pylist())


def read_table(folder: Path, row_type: type[Row]) -> pa.Table:
    """Read the rows of one kind as a table with the columns of its schema, be it without rows.

    Raises:
        InputError: where a file is damaged, naming it.
    """
    schema = parquet_schema(row_type)
    parts = sorted((folder / ROW_FOLDERS[row_type]).glob("*.parquet"))
    return pa.concat_tables([schema.empty_table(), *(_read_part(part, schema) for part in parts)])


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.ParquetFile(path).read(columns=schema.names).select(schema.names).cast(schema)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(
            "a record file must be whole Parquet with the columns of autohier.records.schema",
            got=f"{path} ({error})",
            remedy="move it away and resume the sweep; the stage store keeps what the trial computed",
        ) from error


def _row(row_type: type[RowT], values: dict[str, Any]) -> RowT:
    plain: dict[str, Any] = {
        field.name: tuple(value) if isinstance(value := values[field.name], list) else value
        for field in fields(row_type)
    }
    return row_type(**plain)
