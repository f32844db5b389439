"""Progress of a running trial in a small file of its own, for other processes that look into the sweep.

The trial writes it when a stage starts or waits, and after each epoch that it trains. It is removed when the
trial ends, as its records then say more.
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.training.metrics import EpochMetrics
from autohier.files import open_regular, write_atomically

_LOG = logging.getLogger(__name__)
_MAX_BYTES = 10_000
_MAX_COUNT = 10**9


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """State of a running trial."""

    trial: str
    kind: str
    """Kind of the stage that it trains or waits for."""
    pass_index: int
    """k for the k-th pruning pass, 0 for other stages."""
    label: str
    """Display name of the stage."""
    epoch: int
    """Number of epochs of the stage that are done, over all folds."""
    num_epochs: int
    """Number of epochs of the stage, over all folds."""
    epoch_s: float | None
    """Mean time of the epochs that this process trained in the stage; None before the first."""
    accuracy: float | None
    """Validation accuracy after the last epoch; None before the first."""
    waits_for: str
    """Trial that computes the stage; empty if this one does."""
    process: str
    """Process that runs the trial, e.g. "process 17 on node3"."""
    updated_at: datetime


class ProgressWriter(TrialCallback):
    """Trial callback that writes the trial's progress; a disk error is logged and does not end the trial.

    Stages and epochs that are read from the store or a checkpoint are not written one by one.

    Args:
        records: the sweep's records folder.
        trial: name of the trial.
        config: its config.
    """

    def __init__(self, records: Path, trial: str, config: TrialConfig) -> None:
        self._path = progress_file(records, trial)
        self._trial, self._config = trial, config
        has_folds = config.protocol.validation == "folds"
        self._num_folds = config.protocol.num_folds if has_folds else 1
        self._progress: TrialProgress | None = None
        self._trained_s: tuple[float, ...] = ()
        self._has_failed = False

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._write(replace(self._start(kind, pass_index), waits_for=holder))

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See `TrialCallback`."""
        if not reused:
            self._write(self._start(kind, pass_index))

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        if reused:
            return
        self._trained_s = (*self._trained_s, metrics.seconds)
        progress = self._progress or self._start(kind, pass_index)
        accuracy = metrics.accuracy
        self._write(
            replace(
                progress,
                epoch=metrics.epoch + 1,
                epoch_s=sum(self._trained_s) / len(self._trained_s),
                accuracy=accuracy if math.isfinite(accuracy) else None,
                waits_for="",
            )
        )

    def end(self) -> None:
        """Remove the file, as the trial has ended."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _start(self, kind: StageKind, pass_index: int) -> TrialProgress:
        self._trained_s = ()
        return TrialProgress(
            trial=self._trial,
            kind=kind.name,
            pass_index=pass_index,
            label=kind.label(pass_index),
            epoch=0,
            num_epochs=self._num_folds * kind.epochs(self._config),
            epoch_s=None,
            accuracy=None,
            waits_for="",
            process=f"process {os.getpid()} on {socket.gethostname()}",
            updated_at=datetime.now(UTC),
        )

    def _write(self, progress: TrialProgress) -> None:
        self._progress = replace(progress, updated_at=datetime.now(UTC))
        content = asdict(self._progress) | {"updated_at": self._progress.updated_at.isoformat()}
        try:
            write_atomically(self._path, json.dumps(content).encode(), lasting=False)
        except OSError as error:
            if not self._has_failed:
                _LOG.warning("cannot write the progress of %s: %s", self._trial, error)
            self._has_failed = True


def progress_file(records: Path, trial: str) -> Path:
    """Return the file of a trial's progress in a records folder."""
    return records / "running" / f"{trial}.json"


def read_progress(records: Path) -> dict[str, TrialProgress]:
    """Return the progress of every trial that runs, or whose process was killed, by its name.

    A file that is damaged is left out.
    """
    found = (_read(path) for path in sorted((records / "running").glob("*.json")))
    return {each.trial: each for each in found if each is not None}


def _read(path: Path) -> TrialProgress | None:
    try:
        with open_regular(path) as file:
            content = json.loads(file.read(_MAX_BYTES))
        values = {field.name: content[field.name] for field in fields(TrialProgress)}
        values["updated_at"] = datetime.fromisoformat(values["updated_at"])
        return _checked(TrialProgress(**values)) if values["trial"] == path.stem else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        _LOG.debug("the progress in %s is left out: %s", path, error)
        return None


def _checked(progress: TrialProgress) -> TrialProgress:
    """Return a progress whose values have the right types and can be those of a trial.

    Raises:
        TypeError: if a value has another type or size.
    """
    numbers = (progress.pass_index, progress.epoch, progress.num_epochs)
    texts = (progress.trial, progress.kind, progress.label, progress.waits_for, progress.process)
    shares = (progress.epoch_s, progress.accuracy)
    if not (
        all(isinstance(each, int) and 0 <= each <= _MAX_COUNT for each in numbers)
        and all(isinstance(each, str) for each in texts)
        and all(each is None or _is_amount(each) for each in shares)
        and progress.updated_at.tzinfo is not None
    ):
        raise TypeError(f"not a progress of a trial: {progress}")
    return progress


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _MAX_COUNT  # not so for NaN
