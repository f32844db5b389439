"""Ray Tune's part of a sweep: run what the study asks, as many trials at a time as there is room for."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from ray import tune

from autohier.records.diary import TrialDiary
from autohier.sweep.actor import TrialJob, run_sweep_trial
from autohier.sweep.cluster import Share
from autohier.sweep.display import Display
from autohier.sweep.events import DisplayCallback, LeaseCallback
from autohier.sweep.folder import SweepFolder
from autohier.sweep.searcher import StudySearcher
from autohier.sweep.signals import sigterm_ends_tune
from autohier.sweep.study import Asked, SweepStudy

_DEATHS_FORGIVEN = 3
"""How often a trial is started again whose process died; its finished stages are found in the store."""


def run_trials(folder: SweepFolder, study: SweepStudy, job: TrialJob, share: Share, display: Display) -> None:
    """Run trials until the study asks no more, or until SIGINT or SIGTERM.

    Every driver starts a fresh Tuner: the study, not Ray's snapshot, knows what is left to do.
    """
    trainable = tune.with_resources(
        functools.partial(run_sweep_trial, job=job), {"cpu": share.cpus, "gpu": share.gpus}
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, functools.partial(_record_death, folder)),
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
    diary.fail(reason)
