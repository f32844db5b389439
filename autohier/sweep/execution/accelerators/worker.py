"""A worker: the process that holds one accelerator and computes what trials ask it for, a stage at a time.

It trains an epoch per call, so that the number of workers of a stage may be chosen again after each.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.stage_key import stage_key
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.stages.training import StageRun, TrainedStage, publish, train_stage
from autohier.core.training.devices import find_device
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.replicas.process_group import open_replicas
from autohier.errors import LostProcessError
from autohier.sweep.execution.actors.context import SweepContext

_TIMEOUT_S = 600.0
"""Longest time that a rank waits for the others within an epoch, also while they read clips."""


@dataclass(frozen=True, slots=True)
class Order:
    """A stage to train, as a trial sends it to its workers."""

    config: TrialConfig
    kind: StageKind
    pass_index: int
    inputs: StageInputs
    prepare: Callable[[StageContext], TrainingJob]
    trial: str = ""
    """Name of the trial: a worker that was lent to another one since does not end its stage."""


@dataclass(frozen=True, slots=True)
class WorkedEpoch:
    """An epoch of a stage."""

    metrics: EpochMetrics
    reused: bool
    """True if it was restored from a checkpoint."""


class _LastEpoch(TrialCallback):
    """Knows whether the last epoch was restored."""

    reused = False

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:  # noqa: ARG002
        """See `TrialCallback`."""
        self.reused = reused


class StageWorker:
    """Computes for one stage at a time; opening a stage ends the one before."""

    def __init__(self, context: SweepContext) -> None:
        context.restore_umask()
        self._context = context
        self._left = ExitStack()
        self._run: StageRun | None = None
        self._epochs: Generator[EpochMetrics, None, TrainedStage] | None = None
        self._rank, self._last, self._trial = 0, _LastEpoch(), ""

    def address(self) -> str:
        """Return a free port of this machine as ``host:port``, where the ranks of a stage may meet."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            return f"{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}"

    def device_type(self) -> str:
        """Return the type of the device on which this worker computes, e.g. "cuda"."""
        return find_device(self._context.device).type

    def open(self, order: Order, rank: int, width: int, address: str) -> None:
        """Prepare to train a stage as one of several ranks; waits until all have joined.

        Raises:
            LostProcessError: if another rank does not join.
            StageDamagedError: if the parent's weights are missing or damaged.
        """
        self.close()
        context = replace(self._open_trial(order.config).context, callback=self._last)
        context.device.free_memory()  # of a stage that ran out of it
        job = order.prepare(context)
        self._run = StageRun(order.kind, order.pass_index, order.inputs, lambda _: job, context)
        device = context.device.torch_device
        replicas = self._left.enter_context(
            open_replicas(rank, width, address, device=device, timeout_s=_TIMEOUT_S)
        )
        self._rank, self._trial = rank, order.trial
        self._epochs = train_stage(self._run, replicas)
        self._left.callback(self._epochs.close)

    def advance(self) -> WorkedEpoch | StageResult | None:
        """Return the next epoch; after the last one, evaluate and publish the stage.

        Returns:
            In the end the stage's result on rank 0, and None on other ranks.

        Raises:
            LostProcessError: if no stage is open, as the process was started again, or another rank is lost.
            DivergedError: if training diverges; on all ranks.
        """
        if self._epochs is None or self._run is None:
            raise LostProcessError(
                "a worker must have a stage open to train it", got="a process that started again"
            )
        run = self._run
        try:
            metrics = next(self._epochs)
        except StopIteration as end:
            result = publish(run, end.value) if self._rank == 0 else None
            self.close()
            return result
        except BaseException as error:
            # The other ranks receive the error, so that they do not wait.
            left, self._left, self._epochs, self._run = self._left, ExitStack(), None, None
            left.__exit__(type(error), error, error.__traceback__)
            raise
        return WorkedEpoch(metrics, reused=self._last.reused)

    def leave(self, order: Order) -> None:
        """Leave the open stage if it is that of an order; calls of several trials may overtake each other."""
        own = self._run is not None and (self._trial, self._run.key)
        if own == (order.trial, stage_key(order.kind, order.inputs)):
            self.close()

    def close(self) -> None:
        """Leave the open stage; its epoch checkpoint stays."""
        left, self._left, self._epochs, self._run = self._left, ExitStack(), None, None
        left.close()

    def call(
        self,
        function: Callable[..., Any],
        config: TrialConfig,
        changes: Mapping[str, Any],
        arguments: tuple[Any, ...],
    ) -> Any:  # noqa: ANN401  what the function returns
        """Call a function with a trial that computes here.

        Args:
            function: takes the TrialSetup and the arguments.
            config: of the trial.
            changes: fields in which the TrialSetup differs from one that is opened with the config.
            arguments: of the function.
        """
        self.close()
        return function(replace(self._open_trial(config), **changes), *arguments)

    def _open_trial(self, config: TrialConfig) -> TrialSetup:
        return open_trial(
            config,
            clips=self._context.open_clips(),
            stages=StageStore(self._context.stage_folder),
            callback=TrialCallback(),
            device=self._context.device,
            num_threads=self._context.num_threads,
        )
