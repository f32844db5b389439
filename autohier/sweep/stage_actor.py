"""An actor beside the trials: runs the shared pass 1 before them and reads the test split after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray

from autohier.core.stages.opening import OpenTrial, open_trial
from autohier.core.stages.result import StageKind, StageResult, stage_label
from autohier.core.stages.store import StageStore
from autohier.core.training.metrics import EpochMetrics, Evaluation
from autohier.core.trial import read_tests, run_trial, train_flat
from autohier.errors import AutohierError, LostProcessError
from autohier.settings.space import Setting
from autohier.sweep.actor import TrialJob, open_clips
from autohier.sweep.cluster import Share
from autohier.sweep.logs import logging_to

_POLL_S = 0.3
_SLOW_START_S = 20.0
"""After which it is not the process that is slow, but no machine has room for it."""

Event = tuple[str, int, float, bool] | tuple[str, str]
"""Stage label, epochs done, validation accuracy, found in the store; or stage label, who is waited for."""


class StageActor:
    """Runs in its own process, with a share of the machines; ``events`` may be called while it works."""

    def __init__(self, setting: dict[str, Any], job: TrialJob) -> None:
        self._setting = Setting.model_validate(setting)
        self._job = job
        self._events: list[Event] = []

    def pass_1(self) -> StageResult:
        """Train pass 1, or find it."""
        with logging_to(self._job.folder.log_file):
            return train_flat(self._open("pass 1"))

    def tests(self) -> list[tuple[str, Evaluation]]:
        """The test readings of a finished trial; see core.trial.read_tests."""
        with logging_to(self._job.folder.log_file):
            trial = self._open("tests")
            return read_tests(trial, run_trial(trial))

    def events(self, since: int) -> list[Event]:
        """What happened after the first ``since`` events."""
        return self._events[since:]

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""
        self._events.append((stage_label(kind, pass_index), holder))

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        self._events.append((stage_label(kind, pass_index), metrics.epoch + 1, metrics.accuracy, reused))

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""

    def _open(self, name: str) -> OpenTrial:
        return open_trial(
            self._setting,
            clips=open_clips(self._job.clip_folder),
            stages=StageStore(self._job.stage_folder),
            reporter=self,
            device=self._job.device,
            num_threads=self._job.num_threads,
            leases=self._job.leases(name),
        )


def run_beside(
    method: str, setting: Setting, job: TrialJob, share: Share, on_event: Callable[[Event], None]
) -> Any:  # noqa: ANN401  what the method gives
    """Run one method of a StageActor and wait for it, passing its events on.

    Raises:
        AutohierError: what the method raised, or where its process died.
        OSError: where the method met a full disk, or a file that it may not use.
    """
    # Two threads of calls: one works, the other answers for its events.
    actor_class = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_concurrency=2)(StageActor)
    actor = actor_class.remote(setting.model_dump(mode="json"), replace(job, num_threads=share.num_threads))
    result = getattr(actor, method).remote()
    num_events = 0
    try:
        if not ray.wait([actor.__ray_ready__.remote()], timeout=_SLOW_START_S)[0]:
            on_event((method.replace("_", " "), _wanted(share)))
        done = False
        while not done:
            done = bool(ray.wait([result], timeout=_POLL_S)[0])
            for event in ray.get(actor.events.remote(num_events)):
                num_events += 1
                on_event(event)
        return ray.get(result)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, AutohierError | OSError):
            raise cause from error
        raise
    except ray.exceptions.RayActorError as error:
        raise LostProcessError(
            "the process that runs " + method.replace("_", " ") + " must live on, and it died",
            remedy="give it more memory, or resume where the machine was lost",
        ) from error
    finally:
        ray.kill(actor)


def _wanted(share: Share) -> str:
    gpus = f" and {share.gpus:g} GPUs" if share.gpus else ""
    return f"{share.cpus:g} cores{gpus} of one machine to be free"
