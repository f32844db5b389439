"""An actor for work outside the trials: the shared pass 1 before them, the test evaluation after them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import EpochMetrics, Evaluation
from autohier.core.trial import evaluate_further_refit, evaluate_on_test, run_trial, train_pass_1
from autohier.errors import AutohierError, LostProcessError
from autohier.sweep.execution.accelerators.worker_executor import open_executor
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.actors.drain import DrainCallback
from autohier.sweep.execution.cluster.admission import HandedBack, pass_gate
from autohier.sweep.execution.cluster.placement import admitted_only
from autohier.sweep.execution.memory_kills import deaths_by_memory
from autohier.sweep.execution.messages import EpochEnd, StageMessage, StageWait
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.log_file import logging_to

_LOG = logging.getLogger(__name__)
_OF_REFIT = "pass 1 of the refit"

_POLL_S = 0.3
_MAX_RESTARTS = 3
"""Number of times that a call is run again after its process died; it continues after the last checkpoint."""
_SIGNAL_S = 2.0
"""Time in which a driver gets a signal that ended Ray's processes a moment before."""
_SLOW_START_S = 20.0
"""A call that has not started after this time waits for cores, not for its process."""


class StageActor(TrialCallback):
    """Runs in its own process with a share of the machines; ``messages`` may be called while it works."""

    def __init__(self, config: dict[str, Any], context: SweepContext, *, ahead: bool = False) -> None:
        pass_gate(context.admission)
        context.restore_umask()
        self._config = TrialConfig.model_validate(config)
        self._context = context
        self._drain = DrainCallback(context.admission)
        self._messages: list[StageMessage] = []
        self._suffix = ""
        self._ahead = ahead

    def pass_1(self, fold: int | None = None) -> StageResult:
        """Train pass 1, or read it from the stage store; of one fold, from 0, if one is given."""
        with logging_to(self._context.folder.log_file):
            if fold is None:
                return train_pass_1(self._open("pass 1"))
            self._suffix = f" of fold {fold + 1}"
            return train_pass_1(self._open(f"pass 1{self._suffix}").folds(self)[fold])

    def refit_pass_1(self) -> StageResult:
        """Train pass 1 of the refit, which is the same for every winner."""
        with logging_to(self._context.folder.log_file):
            return train_pass_1(self._open(_OF_REFIT).with_all_training_clips())

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
        try:
            self._drain.on_epoch_end(kind, pass_index, metrics, reused=reused)
        except HandedBack as end:
            raise end.as_preemption() from end

    def _open(self, name: str) -> TrialSetup:
        return open_trial(
            self._config,
            clips=self._context.open_clips(),
            stages=StageStore(self._context.stage_folder),
            callback=self,
            device=self._context.device,
            num_threads=self._context.num_threads,
            leases=self._context.leases(name),
            executor=open_executor(self._context, name, self._config, ahead=self._ahead),
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
        AutohierError: if the method raises it, or if its process dies repeatedly.
        OSError: if the method meets a full disk, or a file that it may not use.
        SweepInterruptedError: if the sweep should stop.
    """
    (result,) = _run_all([(method, ())], config, context, share, stop, on_message)
    return result


@contextmanager
def train_refit_pass_1(
    config: TrialConfig,
    context: SweepContext,
    share: Share,
    stop: StopRequest,
    on_message: Callable[[StageMessage], None],
) -> Iterator[None]:
    """Train pass 1 of the refit while the block runs, on accelerators that no trial needs.

    What is not finished when the block ends stays in the epoch checkpoint. A failure is not reported: the
    refit meets it again.

    Args:
        config: of any trial of the sweep, which must have the same pass 1.
        context: of the actors.
        share: of the machines.
        stop: of the sweep.
        on_message: called with the messages when the block has ended.
    """
    call = _StageCall("refit_pass_1", (), config, context, share, stop, ahead=True)
    try:
        yield
        try:
            for message in call.new_messages():
                on_message(message)
        except RayActorError as error:
            _LOG.warning("the process that trained %s died: %s", _OF_REFIT, error)
    finally:
        call.end()
        context.give_up(_OF_REFIT)


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
                    awaited = _describe(share) if context.broker is None else "its process to start"
                    on_message(StageWait(method.replace("_", " "), awaited))
                continue
            stop.check()
            ray.wait([call.result for call in running.values()], timeout=_POLL_S)
            for index, call in list(running.items()):
                if not call.has_started(0):
                    continue  # it may wait for the cores of a call that is done
                try:
                    is_done = call.is_done()
                    for message in call.new_messages():
                        on_message(message)
                    if is_done:
                        results[index] = call.outcome()
                        running.pop(index).end()
                except RayActorError as error:
                    call.start_again(error)
                    on_message(StageWait(call.name, "a process in place of the one that died"))
    finally:
        for call in running.values():
            call.end()
    return [results[index] for index in range(len(calls))]


class _StageCall:
    """One method call of a StageActor in a process of its own, and in another one if that dies."""

    def __init__(
        self,
        method: str,
        arguments: tuple[int, ...],
        config: TrialConfig,
        context: SweepContext,
        share: Share,
        stop: StopRequest,
        *,
        ahead: bool = False,
    ) -> None:
        self.name = method.replace("_", " ")
        self._method, self._arguments = method, arguments
        self._config = config.model_dump(mode="json")
        self._context = replace(context, num_threads=share.num_threads)
        self._share, self._stop = share, stop
        self._ahead = ahead
        self._num_deaths = 0
        self._seen: set[tuple[str, int]] = set()
        """Stage and number of the epochs that were passed on."""
        self._start()

    def _start(self) -> None:
        # Two threads of calls: one runs the method, the other returns messages.
        share = self._share
        cpus, gpus = (share.cpus, share.gpus) if self._context.broker is None else (0, 0)
        actor_class = ray.remote(num_cpus=cpus, num_gpus=gpus, max_concurrency=2)(StageActor)
        placed = actor_class.options(label_selector=admitted_only() or None)
        self._actor = placed.remote(self._config, self._context, ahead=self._ahead)
        self._ready = self._actor.__ray_ready__.remote()
        self._num_messages = 0
        self.result = getattr(self._actor, self._method).remote(*self._arguments)

    def start_again(self, error: RayActorError) -> None:
        """Run the method in another process, which continues after the last epoch checkpoint.

        A machine that is preempted, or not admitted, does not count.

        Raises:
            LostProcessError: if processes died too often.
            SweepInterruptedError: if the sweep should stop, or a signal ends all processes of the job.
        """
        self._num_deaths += not error.preempted
        if self._num_deaths > _MAX_RESTARTS:
            raise LostProcessError(
                f"the worker process that runs {self.name} died repeatedly",
                hint="give it more memory, or resume if machines were lost",
            ) from error
        self._stop.comes_within(_SIGNAL_S)
        self._stop.check()
        _LOG.warning("the worker process that runs %s died (%s) and is started again", self.name, error)
        self.end()
        self._start()

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
        """Return the messages since the last call, without epochs that a process before this one reported."""
        messages: list[StageMessage] = self._get(self._actor.messages.remote(self._num_messages))
        self._num_messages += len(messages)
        new = [message for message in messages if not self._is_repeated(message)]
        self._seen |= {(each.stage, each.epoch) for each in new if isinstance(each, EpochEnd)}
        return new

    def _is_repeated(self, message: StageMessage) -> bool:
        return (
            isinstance(message, EpochEnd) and message.reused and (message.stage, message.epoch) in self._seen
        )

    def outcome(self) -> Any:  # noqa: ANN401  the result of the method
        return self._get(self.result)

    def end(self) -> None:
        ray.kill(self._actor)

    def _get(self, reference: ray.ObjectRef) -> Any:  # noqa: ANN401  the object that it refers to
        while not ray.wait([reference], timeout=_POLL_S)[0]:
            self._stop.check()
        with self._user_errors(), deaths_by_memory():
            return ray.get(reference)

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, AutohierError | OSError | RayActorError):
                raise cause from error
            raise


def _describe(share: Share) -> str:
    gpus = f" and {share.gpus:g} GPU{'' if share.gpus == 1 else 's'}" if share.gpus else ""
    return f"{share.cpus:g} free core{'' if share.cpus == 1 else 's'}{gpus} on one machine"
