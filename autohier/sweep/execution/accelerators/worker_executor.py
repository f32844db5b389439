"""Computing a trial's stages on workers that the broker lends: the executor in the process of a trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import ray
import torch
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayError,
    RayTaskError,
)

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.failures import breaks_device
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.training import StageRun
from autohier.core.training.devices import Device, describe_device
from autohier.errors import LostProcessError
from autohier.sweep.execution.accelerators.broker import Loan
from autohier.sweep.execution.accelerators.worker import Order, WorkedEpoch
from autohier.sweep.execution.actors.context import SweepContext

_LOG = logging.getLogger(__name__)
_MAX_DEATHS = 3
"""Number of lost workers after which a stage fails."""
_PAUSE_S, _RESTART_S = 0.5, 120.0
"""Between two looks at a worker that Ray starts again, and for how long; Ray takes a minute to notice that a
machine is lost."""
_LAST_S = 10.0
"""Time in which the other ranks of a stage fail too, after one of them has."""
_ANSWER_S = 10.0
"""Time in which the broker takes workers back."""
_WAIT_S = 1.0
"""Wait for accelerators from which on it is reported."""
R = TypeVar("R")


def open_executor(
    context: SweepContext, holder: str, config: TrialConfig, *, ahead: bool = False
) -> WorkerExecutor | None:
    """Return what computes the stages of a trial; None if that is its own process.

    Args:
        context: of the sweep.
        holder: name of the trial, or of shared work.
        config: of the trial.
        ahead: True if no trial waits for what is computed.
    """
    if context.broker is None:
        return None
    return WorkerExecutor(context.broker, holder, config, ahead=ahead)


class WorkerExecutor:
    """Computes one trial's stages on workers. Implements `autohier.core.stages.executor.Executor`.

    Args:
        broker: actor handle of the `AcceleratorBroker`.
        holder: name of the trial.
        config: of the trial.
        ahead: True if no trial waits for what is computed.
    """

    def __init__(self, broker: Any, holder: str, config: TrialConfig, *, ahead: bool = False) -> None:  # noqa: ANN401
        self._broker, self._holder, self._config, self._ahead = broker, holder, config, ahead

    def open_device(self) -> Device:
        """See `Executor`."""
        numerics = self._config.numerics
        return describe_device(
            torch.device(ray.get(self._broker.device_type.remote())),
            precision=numerics.precision,
            deterministic=numerics.deterministic,
            compile_network=numerics.compile,
        )

    def train(self, run: StageRun) -> StageResult:
        """See `Executor`."""
        stage = f"{run.kind.name}-{run.key}"
        with self._claimed(stage, lambda: self._report_wait(run)) as loan:
            order = Order(self._config, run.kind, run.pass_index, run.inputs, run.prepare, self._holder)
            return _RemoteStage(run, order).train(loan, lambda: self._rechoose(stage))

    def call(self, function: Callable[..., R], trial: TrialSetup, *arguments: object) -> R:
        """See `Executor`."""
        changes = {"base": trial.base, "fold_bases": trial.fold_bases, "rates": trial.rates}
        num_deaths = 0
        while True:
            with self._claimed(getattr(function, "__name__", "call"), lambda: None, limit=1) as loan:
                asked = loan.workers[0].call.remote(function, trial.config, changes, arguments)
                try:
                    (answer,) = _gathered([asked], loan.workers)
                except RayActorError as error:
                    num_deaths = _count_death(num_deaths, error)
                    _await_restart(loan.workers)
                else:
                    result: R = answer
                    return result

    def _report_wait(self, run: StageRun) -> None:
        run.context.callback.on_stage_wait(run.kind, run.pass_index, "stages on all accelerators")

    def _rechoose(self, stage: str) -> Loan:
        loan: Loan = ray.get(self._broker.rechoose.remote(self._holder, stage))
        return loan

    @contextmanager
    def _claimed(
        self, stage: str, on_wait: Callable[[], None], *, limit: int | None = None
    ) -> Iterator[Loan]:
        claimed = self._broker.claim.remote(self._holder, stage, ahead=self._ahead, limit=limit)
        try:
            if not ray.wait([claimed], timeout=_WAIT_S)[0]:
                on_wait()
            yield ray.get(claimed)
        finally:
            # Waited for, since calls of an actor with an event loop may overtake each other.
            with suppress(GetTimeoutError, RayError):  # a lost broker has forgotten the loan
                ray.get(self._broker.release.remote(self._holder, stage), timeout=_ANSWER_S)


class _RemoteStage:
    """One stage that is trained on workers, whichever they are from epoch to epoch."""

    def __init__(self, run: StageRun, order: Order) -> None:
        self._run, self._order = run, order
        self._num_reported: int | None = None
        """Epochs that the callback received; None before the stage has started."""
        self._num_restored = 0

    def train(self, loan: Loan, rechoose: Callable[[], Loan]) -> StageResult:
        """Train until the stage is published; see `Executor.train`."""
        num_deaths = 0
        while True:
            try:
                result = self._train_on(loan, rechoose)
            except (RayActorError, LostProcessError) as error:
                num_deaths = _count_death(num_deaths, error)
                _await_restart(loan.workers)
                result = None
            if result is not None:
                return self._end(result)
            loan = rechoose()

    def _train_on(self, loan: Loan, rechoose: Callable[[], Loan]) -> StageResult | None:
        """Train on some workers; return None once they are to be others."""
        workers = loan.workers
        try:
            (address,) = _gathered([workers[0].address.remote()], workers[:1])
            opened = [
                worker.open.remote(self._order, rank, len(workers), address)
                for rank, worker in enumerate(workers)
            ]
            _gathered(opened, workers)
            self._start()
            while True:
                answer = _gathered([worker.advance.remote() for worker in workers], workers)[0]
                if isinstance(answer, StageResult):
                    return answer
                self._report(answer)
                if not answer.reused and rechoose().accelerators != loan.accelerators:
                    return None
        finally:
            for worker in workers:
                worker.leave.remote(self._order)

    def _start(self) -> None:
        if self._num_reported is None:
            self._num_reported = 0
            self._run.context.callback.on_stage_start(self._run.kind, self._run.pass_index, reused=False)

    def _report(self, epoch: WorkedEpoch) -> None:
        """Report an epoch once, also if other workers restore it."""
        if epoch.metrics.epoch != self._num_reported:
            return
        self._num_reported += 1
        self._num_restored += epoch.reused
        self._run.context.callback.on_epoch_end(
            self._run.kind, self._run.pass_index, epoch.metrics, reused=epoch.reused
        )

    def _end(self, published: StageResult) -> StageResult:
        # Its last workers count the epochs of those before them as restored.
        result = replace(published, num_restored=self._num_restored)
        self._run.context.callback.on_stage_end(result)
        return result


def _count_death(number: int, error: Exception) -> int:
    """Count a lost worker, unless its machine was taken away with notice.

    Raises:
        LostProcessError: if there were too many.
    """
    number += not getattr(error, "preempted", False)
    if number > _MAX_DEATHS:
        raise LostProcessError(
            "the workers of a stage must not die repeatedly",
            got=error,
            hint="give them more memory, or resume if machines were lost",
        ) from error
    _LOG.warning("a worker was lost (%s); its stage continues after the last epoch checkpoint", error)
    return number


def _await_restart(workers: Sequence[Any]) -> None:
    """Wait until workers answer, or are lost for good with their machines."""
    for worker in workers:
        deadline = time.monotonic() + _RESTART_S
        while time.monotonic() < deadline:
            try:
                ray.get(worker.__ray_ready__.remote(), timeout=_RESTART_S)
            except ActorUnavailableError:
                time.sleep(_PAUSE_S)
            except (RayActorError, ActorUnschedulableError, GetTimeoutError):
                break
            else:
                break


def _gathered(references: Sequence[Any], workers: Sequence[Any]) -> list[Any]:
    """Return the answers of workers.

    Workers that do not answer after another one failed, and those whose device is broken, start again.

    Raises:
        Exception: what the computation raised.
        RayActorError: if a worker died.
        LostProcessError: if ranks lost each other.
    """
    pending = list(references)
    failed: list[Exception] = []
    while pending:
        ready, pending = ray.wait(pending, timeout=_LAST_S if failed else None)
        failed += [error for reference in ready if (error := _error_of(reference))]
        if failed and not ready:
            for reference in pending:
                ray.kill(workers[references.index(reference)], no_restart=False)
            break
    if not failed:
        answers: list[Any] = ray.get(list(references))
        return answers
    # Ranks that lost another say so; what it failed with says why.
    own = [error for error in failed if not isinstance(error, RayError | LostProcessError)]
    if any(breaks_device(error) for error in own):
        for worker in workers:
            ray.kill(worker, no_restart=False)
    deaths = [error for error in failed if isinstance(error, RayActorError)]
    raise (own or deaths or failed)[0]


def _error_of(reference: Any) -> Exception | None:  # noqa: ANN401
    """Return the error that an answer is, or the one that it was raised from in the worker."""
    try:
        ray.get(reference)
    except RayTaskError as error:
        cause: object = error.cause
        return cause if isinstance(cause, Exception) else RuntimeError(str(error))
    except ActorUnschedulableError as error:  # Ray does not call the loss of a whole machine a death
        lost: Exception = RayActorError(error_msg=f"its machine was lost: {error}")
        return lost
    except RayError as error:
        failure: Exception = error
        return failure
    return None
