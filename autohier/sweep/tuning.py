"""Ray Tune's part of a sweep: run what the study asks, as many trials at a time as there is room for."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import ray
from ray import tune

from autohier.errors import InputError
from autohier.records.diary import TrialDiary
from autohier.records.reader import read_rows
from autohier.records.schema import TrialRow
from autohier.records.writer import RecordWriter
from autohier.sweep.actor import TrialJob
from autohier.sweep.breaker import Breaker, Halt
from autohier.sweep.cluster import Share
from autohier.sweep.display import Display
from autohier.sweep.events import DisplayCallback, LeaseCallback
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import Halving
from autohier.sweep.searcher import StudySearcher
from autohier.sweep.signals import sigterm_ends_tune
from autohier.sweep.study import Asked, SweepStudy
from autohier.sweep.trainable import run_in_actor

_DEATHS_FORGIVEN = 3
"""How often a trial is started again whose process died; its finished stages are found in the store."""


def run_trials(
    folder: SweepFolder, study: SweepStudy, job: TrialJob, share: Share, display: Display, breaker: Breaker
) -> None:
    """Run trials until the study asks no more, until the breaker halts, or until SIGINT or SIGTERM.

    Every driver starts a fresh Tuner: the study, not Ray's snapshot, knows what is left to do.

    Raises:
        InputError: where the study could not be written.
    """
    searcher = StudySearcher(study, breaker, functools.partial(_record_death, folder))
    trainable = tune.with_resources(
        functools.partial(run_in_actor, job=ray.put(job)), {"cpu": share.cpus, "gpu": share.gpus}
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=share.parallel,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
            storage_path=str(folder.ray.resolve()),
            failure_config=tune.FailureConfig(max_failures=_DEATHS_FORGIVEN),
            callbacks=[DisplayCallback(display), LeaseCallback(job)],
            verbose=0,
        ),
    )
    with sigterm_ends_tune():
        tuner.fit()
    if searcher.fault:
        raise InputError(
            "the study must be written",
            got=searcher.fault,
            remedy=f"make room, then 'autohier resume {folder.path}': no finished epoch is lost",
        ) from searcher.fault
    if breaker.halt:
        _record_taken_back(folder, breaker.halt)


def start_halving(study: SweepStudy) -> ray.actor.ActorHandle:
    """Start the process that judges the trials of a driver, with what earlier drivers' trials reached.

    Where its machine is lost it starts anew and goes on with what it was started with.
    """
    actor_class = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Halving)
    return actor_class.remote(study.ladder, study.reached())


def _name(trial: tune.experiment.Trial) -> str:
    return str(trial.config["trial"])


def _record_death(folder: SweepFolder, asked: Asked, reason: str) -> None:
    """Write the record of a trial that could not write it itself."""
    diary = TrialDiary(
        folder.records,
        folder.tensorboard,
        asked.setting,
        trial=asked.name,
        number=asked.trial.number,
        ask=asked.ask,
        source=asked.source,
    )
    diary.fail(reason, "lost process")


def _record_taken_back(folder: SweepFolder, halt: Halt) -> None:
    writer = RecordWriter(folder.records)
    for row in read_rows(folder.records, TrialRow):
        if row.number in halt.numbers:
            writer.trial_taken_back(row)
