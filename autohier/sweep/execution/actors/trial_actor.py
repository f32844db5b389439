"""One trial inside its Ray actor: runs its stages, writes its records and reports to the driver.

Ray Tune starts an actor on a machine with enough free cores and GPUs and calls `run_sweep_trial` in it, trial
after trial. Ray shows the process only the GPUs that the trial holds, so that ``device="accelerator"`` is the
right one. Epochs go to the driver as messages; stages and records go to files.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ray import tune

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.failures import breaks_device, failure_class
from autohier.core.prediction import right_clips
from autohier.core.recipes.chain import chain_end
from autohier.core.stages.callbacks import CallbackList, TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import TrialOutcome, run_trial
from autohier.errors import AutohierError
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.records.statistics import wilson_interval
from autohier.sweep.choice.measured import rung_epochs
from autohier.sweep.execution.accelerators.worker_executor import open_executor
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.actors.drain import DrainCallback
from autohier.sweep.execution.callback_extensions import open_callbacks
from autohier.sweep.execution.messages import (
    EpochEnd,
    Message,
    StageEnd,
    StageReused,
    StageWait,
    TrialComplete,
    TrialEnd,
    TrialFacts,
    TrialFailed,
    TrialStopped,
    to_report,
)
from autohier.sweep.log_file import logging_to
from autohier.sweep.scheduling.early_stopping import EarlyStopping, TrialStoppedError
from autohier.text import plural

_DEVICE_BROKEN = threading.Event()
"""Set once this process cannot compute on its accelerator any more."""


def run_sweep_trial(tune_config: dict[str, Any], *, context: SweepContext) -> None:
    """Run one trial; Ray Tune calls it with the configuration that the searcher suggested.

    Reports epochs and stages, and a `TrialEnd` as the last message. A failure of the trial is reported, not
    raised: Ray takes an error for a process that died, and would start the same trial again.
    """
    if _DEVICE_BROKEN.is_set():
        # Ray starts the trial again in another process. It does not expect one to end between two trials.
        os._exit(1)
    context.restore_umask()
    config = TrialConfig.model_validate_json(tune_config["config"])
    reporter = TuneReporter(config)
    try:
        end = _run_recorded(tune_config, config, context, reporter)
    except Exception as error:  # noqa: BLE001  the outer wall of a trial: recorded and reported to the driver
        if breaks_device(error):
            _DEVICE_BROKEN.set()
        end = TrialFailed(
            _reason(error),
            failure_class(error),
            traceback.format_exc(),
            epochs_computed=reporter.epochs_computed,
            seconds_computed=reporter.seconds_computed,
        )
    reporter.report_end(end)


def _run_recorded(
    tune_config: dict[str, Any], config: TrialConfig, context: SweepContext, reporter: TuneReporter
) -> TrialEnd:
    trial = tune_config["trial"]
    early_stopping = EarlyStopping(
        context.rungs,
        config.params,
        chain_end(config),
        context.stop_decision(config),
        objective=config.objective,
        has_cost=config.second_objective is not None,
    )
    with (
        _recorder(tune_config, config, context) as recorder,
        open_callbacks(context.callbacks, trial, context.folder.path, config) as extensions,
    ):
        # Those that may end the trial come last.
        drain = DrainCallback(context.admission)
        callbacks: Sequence[TrialCallback] = (
            recorder.history,
            recorder.progress,
            reporter,
            *extensions,
            early_stopping,
            drain,
        )
        try:
            outcome = _run(tune_config, config, context, recorder, callbacks)
        except TrialStoppedError as stop:
            recorder.set_rungs(rung_epochs(context.rungs, early_stopping.reached))
            recorder.stop(str(stop))
            rungs = tuple(early_stopping.reached.items())
            return TrialStopped(
                tuple(early_stopping.chain),
                rungs,
                str(stop),
                _keys(recorder.history.stages),
                epochs_reused=sum(stage.epochs_reused for stage in recorder.history.stages),
                epochs_computed=recorder.row.epochs_computed or 0,
                seconds_computed=recorder.row.seconds_computed or 0.0,
                chain_multiply_adds=_costs(recorder.history.stages),
                rung_multiply_adds=tuple(early_stopping.costs.values()),
                stage_epochs_reused=tuple(stage.epochs_reused for stage in recorder.history.stages),
            )
        recorder.set_rungs(rung_epochs(context.rungs, early_stopping.reached))
        outcome = recorder.complete(outcome)
    rungs = tuple(early_stopping.reached.items())
    return TrialComplete(
        tuple(early_stopping.chain),
        rungs,
        _facts(outcome, recorder.row.right_clips),
        rung_multiply_adds=tuple(early_stopping.costs.values()),
    )


@contextmanager
def _recorder(
    tune_config: dict[str, Any], config: TrialConfig, context: SweepContext
) -> Iterator[TrialRecorder]:
    """Open the trial's recorder, which also records an error that ends the block."""
    recorder = TrialRecorder(
        context.folder.records,
        context.folder.tensorboard,
        config,
        trial=tune_config["trial"],
        number=tune_config["number"],
        trial_index=tune_config["ask"],
        source=tune_config["source"],
        accelerators=context.accelerators,
        role=tune_config["role"],
        confirms=tune_config["confirms"],
    )
    try:
        yield recorder
    except Exception as error:
        recorder.fail(_reason(error), failure_class(error))
        raise


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AutohierError) else f"{type(error).__name__}: {error}"


def _run(
    tune_config: dict[str, Any],
    config: TrialConfig,
    context: SweepContext,
    recorder: TrialRecorder,
    callbacks: Sequence[TrialCallback],
) -> TrialOutcome:
    clips = context.open_clips()
    with recorder.curves(clips.manifest.class_names) as curves, logging_to(context.folder.log_file):
        trial = open_trial(
            config,
            clips=clips,
            stages=StageStore(context.stage_folder),
            callback=CallbackList(curves, *callbacks),
            device=context.device,
            num_threads=context.num_threads,
            leases=context.leases(tune_config["trial"]),
            executor=open_executor(context, tune_config["trial"], config),
        )
        confirms = tune_config["role"] != "search"
        outcome = run_trial(trial, keeps_last=confirms)
        if confirms:
            recorder.set_right_clips(right_clips(trial, outcome))
        return outcome


class TuneReporter(TrialCallback):
    """Reports a trial's epochs and stages to the driver.

    A trial waits for Ray Tune to take each report. Reused stages are therefore reported together with the
    next message, so that a chain from the stage store does not cost a report per epoch.
    """

    def __init__(self, config: TrialConfig) -> None:
        self._has_folds = config.protocol.validation == "folds"
        self._config = config
        self._pending: list[Message] = []
        self._stage = ""
        self._reused = False
        self.epochs_computed = 0
        """Number of epochs that the trial trained itself, so far."""
        self.seconds_computed = 0.0

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._report(StageWait(kind.label(pass_index), holder))

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See `TrialCallback`."""
        self._stage = kind.label(pass_index)
        self._reused = reused
        if self._pending and not reused:
            self._report()

    def on_epoch_end(
        self,
        kind: StageKind,
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,
    ) -> None:
        """See `TrialCallback`."""
        if self._reused:
            return
        if not reused:
            self.epochs_computed += 1
            self.seconds_computed += metrics.seconds
        # The epochs of all folds are numbered in one row.
        num_epochs = kind.epochs(self._config)
        fold, epoch = divmod(metrics.epoch, num_epochs) if self._has_folds else (0, metrics.epoch)
        stage = f"{self._stage} of fold {fold + 1}" if self._has_folds else self._stage
        self._report(EpochEnd(stage, epoch + 1, metrics.accuracy, reused, metrics.seconds))

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        if result.reused:
            self._pending.append(StageReused(self._stage, len(result.epochs), result.accuracy))
        else:
            self._report(StageEnd(self._stage, result.accuracy))

    def report_end(self, end: TrialEnd) -> None:
        """Send the last message of the trial.

        In an actor this does not return: Ray ends the thread that waits in it before the next trial.
        """
        self._report(end)

    def _report(self, *messages: Message) -> None:
        pending, self._pending = self._pending, []
        tune.report(to_report([*pending, *messages]))


def _facts(outcome: TrialOutcome, right: str) -> TrialFacts:
    return TrialFacts(
        kept_pass=outcome.kept_pass,
        parameters=outcome.kept.cost.parameters,
        multiply_adds=outcome.kept.cost.multiply_adds,
        stages=_keys(outcome.stages),
        epochs_reused=outcome.epochs(reused=True),
        epochs_computed=outcome.epochs(reused=False),
        seconds_computed=outcome.seconds(reused=False),
        accuracy=outcome.accuracy,
        interval=_interval_text(outcome.accuracy, int(outcome.kept.confusion_KK.sum())),
        chain_multiply_adds=_costs(outcome.stages),
        right_clips=right,
        stage_epochs_reused=tuple(stage.epochs_reused for stage in outcome.stages),
    )


def _costs(stages: Sequence[StageResult]) -> tuple[int, ...]:
    """Return the multiply-adds after pass 2 and after each pruning pass."""
    return tuple(stage.cost.multiply_adds for stage in stages if not stage.kind.is_flat)


def _interval_text(accuracy: float, num_clips: int) -> str:
    low, high = wilson_interval(accuracy, num_clips)
    return f"{100 * low:.1f}% to {100 * high:.1f}% ({plural(num_clips, 'clip')})"


def _keys(stages: Sequence[StageResult]) -> tuple[str, ...]:
    return tuple(key for stage in stages for key in stage.keys)
