"""Recorder of a trial, which writes its Parquet rows and its TensorBoard events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.trial import TrialOutcome
from autohier.errors import FailureClass
from autohier.records.history import TrialHistory
from autohier.records.own_epochs import OwnEpochs, own_epochs_file
from autohier.records.recorders.trial_progress import ProgressWriter
from autohier.records.schema import TrialRow
from autohier.records.tensorboard.callback import TensorBoardCallback
from autohier.records.tensorboard.hparams import metrics_of, write_trial_finished, write_trial_started
from autohier.records.trial_rows import complete_row, started_row, unfinished_row
from autohier.records.writer import RecordWriter


class TrialRecorder:
    """Writes the records of one trial, in the process that runs it.

    Create it when the trial starts, pass ``history`` and ``progress`` to the trial as callbacks, and call
    exactly one of ``complete``, ``stop`` and ``fail`` at the end. A later recorder of the same trial replaces
    these records, e.g. after the trial's process died.

    Args:
        records: the sweep's records folder.
        tensorboard: the sweep's TensorBoard root.
        config: config of the trial.
        trial: its name, e.g. "t0007".
        number: its number in the study; None if the study did not sample it.
        trial_index: its index in the sweep.
        source: what proposed the config.
        accelerators: number of accelerators that it holds, or its share of one.
        role: see `TrialRow`.
        confirms: see `TrialRow`.

    Raises:
        OSError: if a folder cannot be written, also in the methods.
    """

    def __init__(
        self,
        records: Path,
        tensorboard: Path,
        config: TrialConfig,
        *,
        trial: str,
        number: int | None,
        trial_index: int | None,
        source: str,
        accelerators: float = 0.0,
        role: str = "search",
        confirms: str = "",
    ) -> None:
        self._own_epochs = OwnEpochs(own_epochs_file(records, trial))
        self.history = TrialHistory(self._own_epochs)
        self.progress = ProgressWriter(records, trial, config)
        self._config = config
        self._run_folder = tensorboard / trial
        self._writer = RecordWriter(records)
        self._row = started_row(
            config,
            trial=trial,
            number=number,
            trial_index=trial_index,
            source=source,
            at=datetime.now(UTC),
            accelerators=accelerators,
            role=role,
            confirms=confirms,
        )
        self._writer.write_trial(self._row)
        write_trial_started(self._run_folder, trial, config.params, config.seed)

    @property
    def row(self) -> TrialRow:
        """Row of the trial as it was written last, or as it will be."""
        return self._row

    @contextmanager
    def curves(self, class_names: Sequence[str]) -> Iterator[TensorBoardCallback]:
        """Yield a callback that writes the trial's curves to TensorBoard; closed at the end of the block."""
        callback = TensorBoardCallback(self._run_folder, self._config.params, class_names)
        with closing(callback):
            yield callback

    def set_rungs(self, values: Mapping[int, float]) -> None:
        """Note the values at rungs within pass 2, by epoch, for the row of the trial's end."""
        self._row = replace(self._row, rung_epochs=tuple(values), rung_values=tuple(values.values()))

    def set_right_clips(self, right_clips: str) -> None:
        """Note which validation clips a confirmation gets right, for the row of its end."""
        self._row = replace(self._row, right_clips=right_clips)

    def complete(self, outcome: TrialOutcome) -> TrialOutcome:
        """Record that the trial is complete; return the outcome with its own epochs as trained by it."""
        stages = tuple(self._own_epochs.credit(stage) for stage in outcome.stages)
        outcome = replace(outcome, stages=stages)
        self._end(complete_row(self._row, outcome, datetime.now(UTC)))
        return outcome

    def stop(self, reason: str) -> None:
        """Record that the scheduler stopped the trial, with its history so far."""
        self._end_early("PRUNED", reason, None)

    def fail(self, reason: str, failure: FailureClass) -> None:
        """Record that the trial failed, with its history so far."""
        self._end_early("FAIL", reason, failure)

    def _end_early(self, state: Literal["PRUNED", "FAIL"], reason: str, failure: FailureClass | None) -> None:
        row = unfinished_row(
            self._row,
            state,
            reason=reason,
            failure=failure,
            at=datetime.now(UTC),
            stages=self.history.stages,
            unfinished=self.history.unfinished,
        )
        self._end(row)

    def _end(self, row: TrialRow) -> None:
        self._row = row
        self._writer.write_ended(row, self.history.stages, self.history.unfinished)
        self.progress.end()
        write_trial_finished(self._run_folder, row.state, metrics_of(row, self.history.stages))
