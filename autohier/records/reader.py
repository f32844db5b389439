"""Reader of records: typed rows for reports, Arrow tables for other uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.errors import InputError
from autohier.files import open_regular
from autohier.records.estimates import Estimate
from autohier.records.schema import (
    ROW_FOLDERS,
    EpochRow,
    EvaluationRow,
    Row,
    StageRow,
    TrialRow,
    WorkRow,
    missing_columns,
    parquet_schema,
)
from autohier.records.sealed_parquet import read_sealed

_FIRST_STAGE = "pass 1"
"""Label of the first stage of a trial whose stages are not recorded."""
_DIGITS = 6
"""Decimal places of estimates that count: below them, machines may differ in the order of their sums."""

RowT = TypeVar("RowT", TrialRow, StageRow, EpochRow, EvaluationRow, WorkRow)


@dataclass(frozen=True)
class Records:
    """All records of a sweep, ordered by the trials' names."""

    trials: tuple[TrialRow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    epochs: tuple[EpochRow, ...] = ()
    tests: tuple[EvaluationRow, ...] = ()
    work: tuple[WorkRow, ...] = ()
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Estimated values of complete trials by name; empty if trials are ranked by their measured values."""

    preferred: str | None = None
    """Name of the trial of the first initial config, if no other is better with enough certainty."""
    confirmed: str | None = None
    """Name of the trial that won the confirmation; None before it is decided."""
    max_multiply_adds: int | None = None
    """Bound on the multiply-adds of the winner."""
    second_objective: str | None = None
    """Cost that the search minimizes as well, so that it seeks a Pareto front; None for most searches."""
    run_sd: float | None = None
    """Standard deviation of one config's values in runs that share their pass 1, as the search shows it."""

    def ranked(self) -> tuple[TrialRow, ...]:
        """Return the complete trials of the study that are within the bound on multiply-adds, best first.

        The trial that won the confirmation comes first; before it is decided, the preferred one, if there is
        one. The others are ordered by their estimate, if there are estimates, then by the value of their
        config with its first seed, which comes before its other seeds, by multiply-adds and name. Only first
        seeds are compared: a mean of several seeds has less luck in it than a single value, so that it loses
        to the luckiest of many. The value is that of the sweep's objective, e.g. the validation accuracy.
        """
        complete = [row for row in self._complete() if not self._exceeds(row)]
        leader = self.confirmed or self.preferred

        def place(row: TrialRow) -> tuple[bool, float, float, bool, float, int, str]:
            estimate, first = self.estimates.get(row.trial), self._first[params_of(row).effect]
            estimated = -round(estimate.value, _DIGITS) if estimate else 0.0
            by_first = (-(first.value or 0.0), row.seed != first.seed)
            is_beaten = row.trial != leader
            return (is_beaten, estimated, *by_first, -(row.value or 0.0), row.multiply_adds or 0, row.trial)

        return tuple(sorted(complete, key=place))

    def over_bound(self) -> tuple[TrialRow, ...]:
        """Return the complete trials of the study that exceed the bound on multiply-adds."""
        return tuple(row for row in self._complete() if self._exceeds(row))

    def _complete(self) -> list[TrialRow]:
        return [row for row in self.trials if row.state == "COMPLETE" and row.number is not None]

    def _exceeds(self, row: TrialRow) -> bool:
        return self.max_multiply_adds is not None and (row.multiply_adds or 0) > self.max_multiply_adds

    @property
    def num_ended(self) -> int:
        """Number of trials of the study that are complete, stopped or failed."""
        states = [row.state for row in self.trials if row.number is not None]
        return sum(state in {"COMPLETE", "PRUNED", "FAIL"} for state in states)

    def seeds_of(self, trial: TrialRow) -> tuple[float, ...]:
        """Return the values of a trial's config, one for every seed with a complete trial, by trial name."""
        return self._values[params_of(trial).effect]

    @cached_property
    def _first(self) -> dict[tuple[object, ...], TrialRow]:
        """First complete trial of every config."""
        rows: dict[tuple[object, ...], TrialRow] = {}
        for row in sorted(self.trials, key=lambda row: row.trial):
            if row.state == "COMPLETE" and row.number is not None:
                rows.setdefault(params_of(row).effect, row)
        return rows

    @cached_property
    def _values(self) -> dict[tuple[object, ...], tuple[float, ...]]:
        values: dict[tuple[object, ...], tuple[float, ...]] = {}
        for row in sorted(self.trials, key=lambda row: row.trial):
            if row.state == "COMPLETE" and row.number is not None and row.value is not None:
                effect = params_of(row).effect
                values[effect] = (*values.get(effect, ()), row.value)
        return values

    def kept_label(self, trial: TrialRow) -> str | None:
        """Return the label of the pass that a complete trial kept; None if its stages are not recorded."""
        stages = self.chain_of(trial.trial)[trial.kept_pass or 0 :]
        return stages[0].label if stages else None

    def first_test(self, trial: TrialRow, stage: str) -> EvaluationRow | None:
        """Return the first test result of one network of a trial; None if it was not evaluated."""
        rows = [row for row in self.tests_of(trial.trial) if row.stage == stage and row.refit_seed is None]
        return min(rows, key=lambda row: row.evaluated_at, default=None)

    def reported_result(self, trial: TrialRow) -> EvaluationRow | None:
        """Return the test result to report of a trial: that of its kept pass, or of this pass's refit if any.

        A cross-validated trial has a test result only if it is refit.
        """
        label = self.kept_label(trial)
        if label is None:
            return None
        refit = self.first_test(trial, f"{label}, refit")
        return refit or (None if trial.validation == "folds" else self.first_test(trial, label))

    def further_refits(self, trial: TrialRow) -> tuple[EvaluationRow, ...]:
        """Return the test results of a trial's refits with other seeds, oldest first."""
        rows = [row for row in self.tests_of(trial.trial) if row.refit_seed is not None]
        return tuple(sorted(rows, key=lambda row: (row.evaluated_at, row.refit_seed or 0)))

    def untested_winner(self) -> TrialRow | None:
        """Return the best complete trial if the sweep has not recorded its test results yet."""
        best = next(iter(self.ranked()), None)
        return None if best is None or self.is_tested(best.trial) else best

    def is_tested(self, trial: str) -> bool:
        """Return True if the sweep has recorded test results of a trial.

        It tests the first stage as well, which ``autohier evaluate`` does not.
        """
        first = next((stage.label for stage in self.stages_of(trial)), _FIRST_STAGE)
        return any(row.stage in (first, f"{first}, refit") for row in self.tests_of(trial))

    def stages_of(self, trial: str) -> tuple[StageRow, ...]:
        """Return the finished stages of a trial, in order."""
        return tuple(row for row in self.stages if row.trial == trial)

    def chain_of(self, trial: str) -> tuple[StageRow, ...]:
        """Return the finished stages of a trial that have superclasses: pass 2, prune 1, ..."""
        return chain_rows(self.stages_of(trial))

    def up_to_pass(self, trial: str, pass_index: int) -> tuple[StageRow, ...]:
        """Return the finished stages of a trial up to a pass of its chain; 0 is pass 2."""
        stages = self.stages_of(trial)
        return stages[: len(stages) - len(chain_rows(stages)) + pass_index + 1]

    def tests_of(self, trial: str) -> tuple[EvaluationRow, ...]:
        """Return the test results of a trial."""
        return tuple(row for row in self.tests if row.trial == trial)


def chain_rows(stages: Sequence[StageRow]) -> tuple[StageRow, ...]:
    """Return the stages of one trial that have superclasses. Older versions recorded one before them."""
    return tuple(
        stage
        for index, stage in enumerate(stages)
        if not (index == 0 if stage.is_flat is None else stage.is_flat)
    )


def params_of(row: TrialRow) -> Hyperparameters:
    """Return the hyperparameters of a trial."""
    return Hyperparameters(
        variant=row.variant,
        settings=json.loads(row.params or "{}"),
        superclasses=row.superclasses,
        weight_ratio=row.weight_ratio,
        scope=row.scope,
        ratio=row.ratio,
        passes=row.passes,
    )


def read_records(folder: Path) -> Records:
    """Read all rows in a records folder; a missing folder has none.

    Raises:
        InputError: if a file is damaged; the message names it.
    """
    return Records(
        trials=read_rows(folder, TrialRow),
        stages=read_rows(folder, StageRow),
        epochs=read_rows(folder, EpochRow),
        tests=read_rows(folder, EvaluationRow),
        work=read_rows(folder, WorkRow),
    )


def read_rows(folder: Path, row_type: type[RowT]) -> tuple[RowT, ...]:
    """Read the rows of one kind.

    Raises:
        InputError: if a file is damaged; the message names it.
    """
    return _to_rows(read_table(folder, row_type), row_type)


def read_table(folder: Path, row_type: type[Row]) -> pa.Table:
    """Read the rows of one kind as a table with the columns of its schema, possibly without rows.

    Raises:
        InputError: if a file is damaged; the message names it.
    """
    parts = [_read_part(part, row_type) for part in part_files(folder, row_type)]
    return pa.concat_tables([parquet_schema(row_type).empty_table(), *parts])


def part_files(folder: Path, row_type: type[Row]) -> list[Path]:
    """Return the files that hold the rows of one kind, by name."""
    return sorted((folder / ROW_FOLDERS[row_type]).glob("*.parquet"))


def read_row(folder: Path, trial: str) -> TrialRow | None:
    """Return the row of one trial; None if it is not there.

    Raises:
        InputError: if its file is damaged.
    """
    path = folder / ROW_FOLDERS[TrialRow] / f"{trial}.parquet"
    return next(iter(read_part(path, TrialRow)), None) if path.is_file() else None


def read_part(path: Path, row_type: type[RowT]) -> tuple[RowT, ...]:
    """Read the rows of one file.

    Raises:
        InputError: if it is damaged.
    """
    table = _read_part(path, row_type)
    try:
        return _to_rows(table, row_type)
    except (OverflowError, ValueError) as error:  # e.g. a time in the year 300,000
        raise _damage(path, error) from error


def _read_part(path: Path, row_type: type[Row]) -> pa.Table:
    schema = parquet_schema(row_type)
    try:
        # Read whole first: Arrow would map a pipe or a device, or wait for it.
        with open_regular(path) as file:
            table = read_sealed(file.read())
        for name, value in missing_columns(row_type, table.column_names).items():
            column = pa.array([value] * len(table), type=schema.field(name).type)
            table = table.append_column(schema.field(name), column)
        table = table.select(schema.names).cast(schema)
        table.validate(full=True)
        _check_trial(path, row_type, table)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise _damage(path, error) from error
    return table


def trial_of(path: Path) -> str:
    """Return the name of the trial whose rows a part file should hold: t0007 for ``t0007-TIME.parquet``."""
    return path.stem.partition("-")[0]


def _check_trial(path: Path, row_type: type[Row], table: pa.Table) -> None:
    """Check that a file holds the rows of its own trial.

    Raises:
        ValueError: if it is that of another trial.
    """
    if row_type is WorkRow:  # of no trial
        return
    others = set(table["trial"].unique().to_pylist()) - {trial_of(path)}
    if others or (row_type is TrialRow and len(table) != 1):
        raise ValueError(f"{len(table)} rows, of {', '.join(sorted(others)) or trial_of(path)}")


def _damage(path: Path, error: Exception) -> InputError:
    return InputError(
        "a record file must be complete Parquet with the columns of autohier.records.schema",
        got=f"{path} ({error})",
        hint="resume its sweep, which rebuilds it from the stage store",
    )


def _to_rows(table: pa.Table, row_type: type[RowT]) -> tuple[RowT, ...]:
    return tuple(_row(row_type, values) for values in table.to_pylist())


def _row(row_type: type[RowT], values: dict[str, Any]) -> RowT:
    arguments: dict[str, Any] = {
        column.name: tuple(value) if isinstance(value := values[column.name], list) else value
        for column in fields(row_type)
    }
    return row_type(**arguments)
