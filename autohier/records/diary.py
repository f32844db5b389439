"""The diary of a trial: all that is written down of it, in Parquet and for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from autohier.core.trial import TrialOutcome
from autohier.errors import FailureClass
from autohier.records.hparams import metrics_of, write_trial_finished, write_trial_started
from autohier.records.progress import Progress
from autohier.records.rows import begun_row, complete_row, cut_short_row
from autohier.records.schema import TrialRow
from autohier.records.tensorboard import TensorBoardReporter
from autohier.records.writer import RecordWriter
from autohier.settings.space import Setting


class TrialDiary:
    """Opened where a trial begins, in whatever process runs it; one of its ends closes it.

    Opening the diary of a trial again, after its process died, replaces what the earlier one wrote.

    Args:
        records: the sweep's records folder.
        tensorboard: the sweep's TensorBoard root.
        setting: what the trial does.
        trial: its name, e.g. "t0007".
        number: its number in the study.
        ask: its place among the study's asks.
        source: who proposed the setting.
        accelerators: how many it holds, or its share of one.

    Raises:
        OSError: where a folder cannot be written; so do the methods.
    """

    def __init__(
        self,
        records: Path,
        tensorboard: Path,
        setting: Setting,
        *,
        trial: str,
        number: int | None,
        ask: int | None,
        source: str,
        accelerators: float = 0.0,
    ) -> None:
        self.progress = Progress()
        self._setting = setting
        self._run_folder = tensorboard / trial
        self._writer = RecordWriter(records)
        self._row = begun_row(
            setting,
            trial=trial,
            number=number,
            ask=ask,
            source=source,
            at=datetime.now(UTC),
            accelerators=accelerators,
        )
        self._writer.trial_started(self._row)
        write_trial_started(self._run_folder, trial, setting.choice, setting.seed)

    @contextmanager
    def curves(self, class_names: Sequence[str]) -> Iterator[TensorBoardReporter]:
        """A reporter that draws the trial's curves while the block runs."""
        reporter = TensorBoardReporter(self._run_folder, self._setting.choice, class_names)
        with closing(reporter):
            yield reporter

    def complete(self, outcome: TrialOutcome) -> None:
        """The trial went all its way."""
        self._end(complete_row(self._row, outcome, datetime.now(UTC)))

    def stop(self, reason: str) -> None:
        """The trial was stopped as too weak; what ``progress`` heard of it is kept."""
        self._cut_short("PRUNED", reason, None)

    def fail(self, reason: str, failure: FailureClass) -> None:
        """The trial failed; what ``progress`` heard of it is kept."""
        self._cut_short("FAIL", reason, failure)

    def _cut_short(self, state: Literal["PRUNED", "FAIL"], reason: str, failure: FailureClass | None) -> None:
        now = datetime.now(UTC)
        self._end(
            cut_short_row(
                self._row,
                state,
                reason=reason,
                failure=failure,
                at=now,
                stages=self.progress.stages,
                unfinished=self.progress.unfinished,
            )
        )

    def _end(self, row: TrialRow) -> None:
        self._writer.trial_ended(row, self.progress.stages, self.progress.unfinished)
        write_trial_finished(self._run_folder, row.state, metrics_of(row))
