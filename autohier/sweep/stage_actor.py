"""An actor beside the trials: runs the shared pass 1 before them and reads the test split after them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
        self._whose = ""

    def pass_1(self, fold: int | None = None) -> StageResult:
        """Train pass 1, or find it; of one fold where it is told which, from 0."""
        with logging_to(self._job.folder.log_file):
            if fold is None:
                return train_flat(self._open("pass 1"))
            self._whose = f" of fold {fold + 1}"
            return train_flat(self._open(f"pass 1{self._whose}").folds(self)[fold])

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
        self._events.append((f"{stage_label(kind, pass_index)}{self._whose}", holder))

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""

    def epoch_finished(
        self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool
    ) -> None:
        """See Reporter."""
        label = f"{stage_label(kind, pass_index)}{self._whose}"
        self._events.append((label, metrics.epoch + 1, metrics.accuracy, reused))

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
    (result,) = _run_all([(method, ())], setting, job, share, on_event)
    return result


def train_folds_beside(
    setting: Setting, job: TrialJob, share: Share, num_folds: int, on_event: Callable[[Event], None]
) -> list[StageResult]:
    """Train pass 1 of every fold, as many at a time as the machines hold trials; see `run_beside`.

    Raises:
        AutohierError, OSError: see `run_beside`; what other folds have trained is kept in their checkpoints.
    """
    return _run_all([("pass_1", (fold,)) for fold in range(num_folds)], setting, job, share, on_event)


def _run_all(
    calls: Sequence[tuple[str, tuple[int, ...]]],
    setting: Setting,
    job: TrialJob,
    share: Share,
    on_event: Callable[[Event], None],
) -> list[Any]:
    results: dict[int, Any] = {}
    waiting, working = deque(enumerate(calls)), dict[int, _Working]()
    try:
        while waiting or working:
            if waiting and len(working) < share.parallel:
                place, (method, arguments) = waiting.popleft()
                working[place] = _Working(method, arguments, setting, job, share)
                if not working[place].is_ready(_SLOW_START_S):
                    on_event((method.replace("_", " "), _wanted(share)))
                continue
            ray.wait([each.result for each in working.values()], timeout=_POLL_S)
            for place, each in list(working.items()):
                if not each.is_ready(0):
                    continue  # it may wait for the room of one that is done
                is_done = each.is_done()
                for event in each.news():
                    on_event(event)
                if is_done:
                    results[place] = each.outcome()
                    working.pop(place).end()
    finally:
        for each in working.values():
            each.end()
    return [results[place] for place in range(len(calls))]


class _Working:
    """One call of a StageActor, in a process of its own."""

    def __init__(
        self, method: str, arguments: tuple[int, ...], setting: Setting, job: TrialJob, share: Share
    ) -> None:
        # Two threads of calls: one works, the other answers for its events.
        actor_class = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_concurrency=2)(StageActor)
        own = replace(job, num_threads=share.num_threads)
        self._actor = actor_class.remote(setting.model_dump(mode="json"), own)
        self._ready = self._actor.__ray_ready__.remote()
        self._method = method
        self._num_events = 0
        self.result = getattr(self._actor, method).remote(*arguments)

    def is_ready(self, timeout_s: float) -> bool:
        """Whether its process has started, or does so before long."""
        return bool(ray.wait([self._ready], timeout=timeout_s)[0])

    def is_done(self) -> bool:
        return bool(ray.wait([self.result], timeout=0)[0])

    def news(self) -> list[Event]:
        """What happened since it was asked last."""
        with self._told():
            events: list[Event] = ray.get(self._actor.events.remote(self._num_events))
        self._num_events += len(events)
        return events

    def outcome(self) -> Any:  # noqa: ANN401  what the method gives
        with self._told():
            return ray.get(self.result)

    def end(self) -> None:
        ray.kill(self._actor)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, AutohierError | OSError):
                raise cause from error
            raise
        except ray.exceptions.RayActorError as error:
            raise LostProcessError(
                "the process that runs " + self._method.replace("_", " ") + " must live on, and it died",
                remedy="give it more memory, or resume where the machine was lost",
            ) from error


def _wanted(share: Share) -> str:
    gpus = f" and {share.gpus:g} GPUs" if share.gpus else ""
    return f"{share.cpus:g} cores{gpus} of one machine to be free"
