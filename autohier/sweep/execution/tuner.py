"""Ray Tune for a sweep: runs the trials that the study samples, in parallel up to the machines' capacity.

A trial reaches a GPU in three steps. `StudySearcher.suggest` samples its config. Ray Tune waits for a machine
with the share of cores and GPUs that `run_trials` asks for each trial, and starts an actor there or reuses an
idle one. The actor runs `trial_actor.run_sweep_trial`, and Ray shows it only the GPUs of its share. With
`SweepPlan.scaling`, actors have no share: the broker of `accelerators` lends GPUs to each of their stages.

A trial whose actor died, with its process or its machine, is started again here, up to `_MAX_RESTARTS` times.
"""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ray
from ray import tune

from autohier.core.failures import failure_class
from autohier.errors import FailureClass, InputError
from autohier.records.reader import read_row, read_rows
from autohier.records.recorders.trial_recorder import TrialRecorder
from autohier.records.schema import TrialRow
from autohier.records.writer import RecordWriter
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.actors.trainable import run_in_actor
from autohier.sweep.execution.callbacks import DisplayCallback, LeaseCallback
from autohier.sweep.execution.cluster.placement import on_driver_machine
from autohier.sweep.execution.cluster.trial_placement import AdmittedPlacement
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.searcher import UNRECORDED, StudySearcher
from autohier.sweep.execution.signals import StopRequest, keep_handler
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.failure_limit import FailureLimit
from autohier.sweep.scheduling.host import SchedulerHost
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from autohier.sweep.study.storages.patient_storage import StorageLostError
from autohier.sweep.study.study import SampledTrial, SweepStudy

_POLL_S, _VISIBLE_S = 0.2, 10.0
"""Time in which a shared file system shows the driver the record of a trial, and between two looks."""
_PROCESS_BYTES = 1 << 29
_MAX_RESTARTS = 3
"""Number of times that a trial is started again after its process died; it reuses its finished stages."""


class RequestStopper(tune.Stopper):
    """Ends all trials once the sweep should stop; Ray Tune asks it several times a second."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        """Return False: a trial ends by itself."""
        return False

    def stop_all(self) -> bool:
        """Return True if the sweep should stop."""
        return self._stop.is_made

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles its stopper into its own snapshot, which is never read.
        return {}


def run_trials(
    folder: SweepFolder,
    study: SweepStudy | ConfirmationStudy,
    context: SweepContext,
    share: Share,
    display: Display,
    failure_limit: FailureLimit,
    stop: StopRequest,
) -> None:
    """Run trials until the study samples no more, the failure limit is reached or the sweep should stop.

    Every driver starts a new Tuner: the study, not Ray's snapshot, knows the remaining trials.

    Raises:
        InputError: if the study cannot be written.
        SweepInterruptedError: if the sweep should stop.
    """
    searcher = StudySearcher(
        study,
        failure_limit,
        functools.partial(_record_loss, folder, display),
        stop,
        functools.partial(_has_record, folder),
        share.parallel_now,
    )
    # A trial whose stages are computed by workers holds no more than its process needs.
    held = {"CPU": share.cpus, "GPU": share.gpus} if context.broker is None else {"memory": _PROCESS_BYTES}
    trainable = tune.with_resources(
        functools.partial(run_in_actor, context=ray.put(context)),
        AdmittedPlacement([held]),
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            # Trials that hold no share gather on one machine. If it is lost, so are the idle processes that a
            # trial would be started in again.
            reuse_actors=context.broker is None,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
            storage_path=str(folder.ray.resolve()),
            failure_config=tune.FailureConfig(max_failures=_MAX_RESTARTS),
            callbacks=[DisplayCallback(display, stop), LeaseCallback(context)],
            stop=RequestStopper(stop),
            verbose=0,
        ),
    )
    with keep_handler(signal.SIGUSR1):  # Tune sets one and leaves it behind
        tuner.fit()
    if searcher.fault and not stop.is_made:
        raise InputError(
            "the study must be writable",
            got=searcher.fault,
            hint=f"{_hint(searcher.fault)}, then run '{folder.resume_command}': no finished epoch is lost",
        ) from searcher.fault
    if failure_limit.exceeded:
        _record_taken_back(folder, study.names_of(failure_limit.exceeded.numbers))
    stop.check()


def _hint(fault: OSError) -> str:
    if isinstance(fault, StorageLostError):
        return "make its database answer"
    return "free some disk space" if failure_class(fault) == "disk full" else "make its disk work"


def start_scheduler(study: SweepStudy, file: Path | None = None) -> ray.actor.ActorHandle:
    """Start the scheduler's actor with the reports of earlier drivers' trials.

    It runs on the driver's machine. If its process is lost, Ray starts it again with these reports and with
    those of this driver's trials, which it keeps in a file, if one is given.
    """
    if file is not None:
        file.unlink(missing_ok=True)  # the study has the reports to earlier drivers
    actor_class = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(SchedulerHost)
    return actor_class.options(scheduling_strategy=on_driver_machine()).remote(
        study.scheduler, study.rungs, study.rung_reports(), file
    )


def _name(trial: tune.experiment.Trial) -> str:
    return str(trial.config["trial"])


def _has_record(folder: SweepFolder, sampled: SampledTrial, state: str) -> bool:
    """Return True if the driver can read the record of a trial's end, at the latest after a while."""
    deadline = time.monotonic() + _VISIBLE_S
    while not _is_recorded(folder, sampled.name, state):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _is_recorded(folder: SweepFolder, trial: str, state: str) -> bool:
    try:
        row = read_row(folder.records, trial)
    except InputError:
        return True  # it is there; the repair of the records restores a damaged one
    return row is not None and row.state == state


def _record_loss(
    folder: SweepFolder, display: Display, sampled: SampledTrial, reason: str, failure: FailureClass
) -> None:
    """Write the record of a trial that could not write it itself."""
    if reason == UNRECORDED:  # its end was shown as any other
        display.print_line(f"{sampled.name} counts as failed ({failure}): {reason}")
    recorder = TrialRecorder(
        folder.records,
        folder.tensorboard,
        sampled.config,
        trial=sampled.name,
        number=sampled.number,
        trial_index=sampled.trial_index,
        source=sampled.source,
        role=sampled.role,
        confirms=sampled.confirms,
    )
    recorder.fail(reason, failure)


def _record_taken_back(folder: SweepFolder, names: Collection[str]) -> None:
    writer = RecordWriter(folder.records)
    for row in read_rows(folder.records, TrialRow):
        if row.trial in names:
            writer.write_requeued(row)
