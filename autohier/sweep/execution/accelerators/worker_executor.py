"""Computing a trial's stages on workers that the broker lends: the executor in the process of a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import ray
import torch
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.training import StageRun
from autohier.core.training.devices import Device, describe_device
from autohier.errors import LostProcessError
from autohier.sweep.execution.accelerators.broker import Loan
from autohier.sweep.execution.accelerators.worker import Order, WorkedEpoch
from autohier.sweep.execution.accelerators.worker_answers import await_restart, count_death, gathered
from autohier.sweep.execution.actors.context import SweepContext

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
    return WorkerExecutor(context.broker, holder, config, ahead=ahead, max_width=context.max_width)


class WorkerExecutor:
    """Computes one trial's stages on workers. Implements `autohier.core.stages.executor.Executor`.

    Args:
        broker: actor handle of the `AcceleratorBroker`.
        holder: name of the trial.
        config: of the trial.
        ahead: True if no trial waits for what is computed.
        max_width: largest number of accelerators of a stage; None if the broker's holds.
    """

    def __init__(
        self,
        broker: Any,  # noqa: ANN401  actor handle
        holder: str,
        config: TrialConfig,
        *,
        ahead: bool = False,
        max_width: int | None = None,
    ) -> None:
        self._broker, self._holder, self._config, self._ahead = broker, holder, config, ahead
        self._max_width = max_width

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
        with self._claimed(stage, lambda: self._report_wait(run), limit=self._max_width) as loan:
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
                    (answer,) = gathered([asked], loan.workers)
                except RayActorError as error:
                    num_deaths = count_death(num_deaths, error)
                    await_restart(loan.workers)
                else:
                    result: R = answer
                    return result

    def _report_wait(self, run: StageRun) -> None:
        run.context.callback.on_stage_wait(run.kind, run.pass_index, "stages on all accelerators")

    def _rechoose(self, stage: str) -> Loan:
        asked = self._broker.rechoose.remote(self._holder, stage, ahead=self._ahead, limit=self._max_width)
        loan: Loan = ray.get(asked)
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
                num_deaths = count_death(num_deaths, error)
                await_restart(loan.workers)
                result = None
            if result is not None:
                return self._end(result)
            loan = rechoose()

    def _train_on(self, loan: Loan, rechoose: Callable[[], Loan]) -> StageResult | None:
        """Train on some workers; return None once they are to be others."""
        workers = loan.workers
        try:
            (address,) = gathered([workers[0].address.remote()], workers[:1])
            opened = [
                worker.open.remote(self._order, rank, len(workers), address)
                for rank, worker in enumerate(workers)
            ]
            gathered(opened, workers)
            self._start()
            while True:
                answer = gathered([worker.advance.remote() for worker in workers], workers)[0]
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
