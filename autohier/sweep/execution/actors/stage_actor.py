"""An actor for work outside the trials: the shared pass 1 before them, the test evaluation after them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ray

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.stages.trial_setup import TrialSetup, open_trial
from autohier.core.training.metrics import EpochMetrics, Evaluation
from autohier.core.trial import evaluate_further_refit, evaluate_on_test, run_trial, train_pass_1
from autohier.errors import AutohierError, LostProcessError
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.actors.trial_actor import open_clips
from autohier.sweep.execution.cluster.admission import pass_gate
from autohier.sweep.execution.cluster.placement import admitted_only
from autohier.sweep.execution.messages import EpochEnd, StageMessage, StageWait
from autohier.sweep.execution.session import Share
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.log_file import logging_to

_POLL_S = 0.3
_SLOW_START_S = 20.0
"""A call that has not started after this time waits for cores, not for its process."""


class StageActor(TrialCallback):
    """Runs in its own process with a share of the machines; ``messages`` may be called while it works."""

    def __init__(self, config: dict[str, Any], context: SweepContext) -> None:
        pass_gate(context.admission)
        context.restore_umask()
        self._config = TrialConfig.model_validate(config)
        self._context = context
        self._messages: list[StageMessage] = []
        self._suffix = ""

    def pass_1(self, fold: int | None = None) -> StageResult:
        """Train pass 1, or read it from the stage store; of one fold, from 0, if one is given."""
        with logging_to(self._context.folder.log_file):
            if fold is None:
                return train_pass_1(self._open("pass 1"))
            self._suffix = f" of fold {fold + 1}"
            return train_pass_1(self._open(f"pass 1{self._suffix}").folds(self)[fold])

    def tests(self) -> list[tuple[str, Evaluation]]:
        """Return the test results of a finished trial; see core.trial.evaluate_on_test."""
        with logging_to(self._context.folder.log_file):
            trial = self._open("tests")
            return evaluate_on_test(trial, run_trial(trial))

    def further_refit(self, seed: int) -> tuple[str, Evaluation]:
        """Return the test result of a refit with another seed; see core.trial.evaluate_further_refit."""
        with logging_to(self._context.folder.log_file):
            trial = self._open("tests")
            outcome = run_trial(trial)
            self._config = self._config.model_copy(update={"seed": seed})
            return evaluate_further_refit(trial, outcome, self._open(f"refit {seed}"))

    def messages(self, since: int) -> list[StageMessage]:
        """Return the messages after the first ``since`` ones."""
        return self._messages[since:]

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See `TrialCallback`."""
        self._messages.append(StageWait(f"{kind.label(pass_index)}{self._suffix}", holder))

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        label = f"{kind.label(pass_index)}{self._suffix}"
        self._messages.append(EpochEnd(label, metrics.epoch + 1, metrics.accuracy, reused, metrics.seconds))

    def _open(self, name: str) -> TrialSetup:
        return open_trial(
            self._config,
            clips=open_clips(self._context.clip_folder),
            stages=StageStore(self._context.stage_folder),
            callback=self,
            device=self._context.device,
            num_threads=self._context.num_threads,
            leases=self._context.leases(name),
        )


def run_in_stage_actor(
    method: str,
    config: TrialConfig,
    context: SweepContext,
    share: Share,
    stop: StopRequest,
    on_message: Callable[[StageMessage], None],
) -> Any:  # noqa: ANN401  the result of the method
    """Run one method of a StageActor, pass its messages on and return its result.

    Raises:
        AutohierError: if the method raises it, or if its process dies.
        OSError: if the method meets a full disk, or a file that it may not use.
        SweepInterruptedError: if the sweep should stop.
    """
    (result,) = _run_all([(method, ())], config, context, share, stop, on_message)
    return result


def train_folds(
    config: TrialConfig,
    context: SweepContext,
    share: Share,
    stop: StopRequest,
    num_folds: int,
    on_message: Callable[[StageMessage], None],
) -> list[StageResult]:
    """Train pass 1 of every fold in actors of their own, in parallel up to the machines' share of trials.

    Raises:
        AutohierError, OSError, SweepInterruptedError: see `run_in_stage_actor`. Epoch checkpoints keep the
            epochs that other folds have trained.
    """
    calls = [("pass_1", (fold,)) for fold in range(num_folds)]
    return _run_all(calls, config, context, share, stop, on_message)


def refit_again(
    config: TrialConfig,
    context: SweepContext,
    share: Share,
    stop: StopRequest,
    seeds: Sequence[int],
    on_message: Callable[[StageMessage], None],
) -> list[tuple[str, Evaluation]]:
    """Refit and test a finished trial with other seeds, in parallel up to the machines' share of trials.

    Raises:
        AutohierError, OSError, SweepInterruptedError: see `run_in_stage_actor`.
    """
    calls = [("further_refit", (seed,)) for seed in seeds]
    return _run_all(calls, config, context, share, stop, on_message)


def _run_all(
    calls: Sequence[tuple[str, tuple[int, ...]]],
    config: TrialConfig,
    context: SweepContext,
    share: Share,
    stop: StopRequest,
    on_message: Callable[[StageMessage], None],
) -> list[Any]:
    results: dict[int, Any] = {}
    waiting, running = deque(enumerate(calls)), dict[int, _StageCall]()
    try:
        while waiting or running:
            if waiting and len(running) < share.parallel:
                index, (method, arguments) = waiting.popleft()
                running[index] = _StageCall(method, arguments, config, context, share, stop)
                if not running[index].starts_within(_SLOW_START_S):
                    on_message(StageWait(method.replace("_", " "), _describe(share)))
                continue
            stop.check()
            ray.wait([call.result for call in running.values()], timeout=_POLL_S)
            for index, call in list(running.items()):
                if not call.has_started(0):
                    continue  # it may wait for the cores of a call that is done
                is_done = call.is_done()
                for message in call.new_messages():
                    on_message(message)
                if is_done:
                    results[index] = call.outcome()
                    running.pop(index).end()
    finally:
        for call in running.values():
            call.end()
    return [results[index] for index in range(len(calls))]


class _StageCall:
    """One method call of a StageActor in a process of its own."""

    def __init__(
        self,
        method: str,
        arguments: tuple[int, ...],
        config: TrialConfig,
        context: SweepContext,
        share: Share,
        stop: StopRequest,
    ) -> None:
        # Two threads of calls: one runs the method, the other returns messages.
        actor_class = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_concurrency=2)(StageActor)
        own_context = replace(context, num_threads=share.num_threads)
        placed = actor_class.options(label_selector=admitted_only() or None)
        self._actor = placed.remote(config.model_dump(mode="json"), own_context)
        self._ready = self._actor.__ray_ready__.remote()
        self._method = method
        self._stop = stop
        self._num_messages = 0
        self.result = getattr(self._actor, method).remote(*arguments)

    def starts_within(self, timeout_s: float) -> bool:
        """Wait for the process to start; return False if it has not started in time."""
        deadline = time.monotonic() + timeout_s
        while not self.has_started(_POLL_S):
            self._stop.check()
            if time.monotonic() >= deadline:
                return False
        return True

    def has_started(self, timeout_s: float) -> bool:
        return bool(ray.wait([self._ready], timeout=timeout_s)[0])

    def is_done(self) -> bool:
        return bool(ray.wait([self.result], timeout=0)[0])

    def new_messages(self) -> list[StageMessage]:
        """Return the messages since the last call."""
        messages: list[StageMessage] = self._get(self._actor.messages.remote(self._num_messages))
        self._num_messages += len(messages)
        return messages

    def outcome(self) -> Any:  # noqa: ANN401  the result of the method
        return self._get(self.result)

    def end(self) -> None:
        ray.kill(self._actor)

    def _get(self, reference: ray.ObjectRef) -> Any:  # noqa: ANN401  the object that it refers to
        while not ray.wait([reference], timeout=_POLL_S)[0]:
            self._stop.check()
        with self._user_errors():
            return ray.get(reference)

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, AutohierError | OSError):
                raise cause from error
            raise
        except ray.exceptions.RayActorError as error:
            raise LostProcessError(
                f"the worker process that runs {self._method.replace('_', ' ')} died unexpectedly",
                hint="give it more memory, or resume if the machine was lost",
            ) from error


def _describe(share: Share) -> str:
    gpus = f" and {share.gpus:g} GPU{'' if share.gpus == 1 else 's'}" if share.gpus else ""
    return f"{share.cpus:g} free core{'' if share.cpus == 1 else 's'}{gpus} on one machine"
