"""The broker, an actor of the driver's machine: keeps a worker on every accelerator and lends it to stages.

If the broker is lost, so are its workers, which belong to it. Ray starts it again; the trials claim again and
continue after the last epoch checkpoints.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import ActorUnschedulableError, RayActorError, RayError

from autohier.config.scaling import Scaling
from autohier.sweep.execution.accelerators.worker import StageWorker
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.cluster.admission import ADMITTED
from autohier.sweep.execution.cluster.placement import on_driver_machine, on_machine
from autohier.sweep.execution.memory_kills import deaths_by_memory
from autohier.sweep.execution.trial_share import Share, trials_in_memory
from autohier.sweep.scheduling.accelerator_pool import Accelerator, AcceleratorPool

_LOG = logging.getLogger(__name__)
_MAX_CALLS = 10_000
"""Stages that may wait at the same time."""
_POLL_S = 1.0
"""Between two looks at the machines of the cluster."""


@dataclass(frozen=True, slots=True)
class AcceleratorUnit:
    """Share of a machine that is one accelerator, and how many of them a stage may hold."""

    cpus: float
    gpus: float
    min_width: int
    max_width: int

    @classmethod
    def of(cls, cpus: float, gpus: float, max_width: int) -> AcceleratorUnit:
        """Return the unit for a trial's share of a machine: each whole GPU of it is an accelerator."""
        number = max(1, math.floor(gpus))
        return cls(cpus / number, gpus / number, number, max(max_width, number))

    def number_on(self, resources: Mapping[str, float]) -> int:
        """Return how many accelerators a machine with these resources has, each with a gigabyte."""
        return trials_in_memory(resources, self.cpus, self.gpus)


@dataclass(frozen=True, slots=True)
class Loan:
    """Accelerators that a stage holds until its next epoch checkpoint."""

    accelerators: tuple[Accelerator, ...]
    workers: tuple[Any, ...]
    """Actor handles of the `StageWorker` on each."""


class AcceleratorBroker:
    """Lends accelerators to the stages of trials; an actor whose methods Ray runs in one event loop.

    Args:
        unit: an accelerator.
        context: pickled context of the sweep, for the workers.
    """

    def __init__(self, unit: AcceleratorUnit, context: bytes) -> None:
        self._unit: AcceleratorUnit = unit
        self._context: SweepContext = cloudpickle.loads(context)
        self._pool = AcceleratorPool([], max_width=unit.max_width, min_width=unit.min_width)
        self._workers: dict[Accelerator, Any] = {}
        self._served: dict[Hashable, asyncio.Event] = {}
        self._device_type: str | None = None
        self._watching = asyncio.ensure_future(self._watch())

    async def capacity(self) -> int:
        """Return the number of accelerators."""
        return self._pool.capacity

    async def idle(self) -> int:
        """Return the number of accelerators that no stage holds."""
        return self._pool.num_idle

    async def machines(self) -> dict[str, int]:
        """Return the number of accelerators of each machine, by Ray's identifiers."""
        return dict(Counter(each.machine for each in self._workers))

    async def device_type(self) -> str:
        """Return the type of the workers' devices, e.g. "cuda", once there is one."""
        while self._device_type is None:
            try:
                for worker in list(self._workers.values())[:1]:
                    with deaths_by_memory():
                        self._device_type = await worker.device_type.remote()
            except (RayActorError, ActorUnschedulableError):
                _LOG.debug("a worker was lost before it named its device", exc_info=True)
            if self._device_type is None:
                await asyncio.sleep(_POLL_S / 10)
        return self._device_type

    async def claim(self, holder: str, stage: str, *, ahead: bool = False, limit: int | None = None) -> Loan:
        """Wait for accelerators; a claim that is there already, of a process that died, is answered too.

        Args:
            holder: trial, the same for every process that it runs in.
            stage: name of the stage, unique in its trial.
            ahead: see `AcceleratorPool.claim`.
            limit: largest number that is of use.
        """
        name = (holder, stage)
        if name not in self._served:
            self._served[name] = asyncio.Event()
            self._note(self._pool.claim(name, ahead=ahead, limit=limit))
        return await self._loan(name)

    async def rechoose(
        self, holder: str, stage: str, *, ahead: bool = False, limit: int | None = None
    ) -> Loan:
        """Choose the accelerators of a stage again, at its epoch checkpoint; wait if it must give up all.

        Args:
            holder: see `claim`, as for the following arguments.
            stage: name of the stage.
            ahead: as in the claim, of which a broker that was lost knows nothing.
            limit: as in the claim.
        """
        name = (holder, stage)
        if name not in self._served:
            return await self.claim(holder, stage, ahead=ahead, limit=limit)
        self._note(self._pool.rechoose(name))
        return await self._loan(name)

    async def release(self, holder: str, stage: str) -> None:
        """Take back the accelerators of a stage that ended."""
        self._release((holder, stage))

    async def give_up(self, holder: str) -> None:
        """Take back what a trial holds whose process died."""
        for name in [name for name in self._served if name[0] == holder]:  # type: ignore[index]
            # They compute for no trial, and the stage that gets them next would wait for their epoch.
            self._restart_workers(name)
            self._release(name)

    def _release(self, name: Hashable) -> None:
        served = self._served.pop(name, None)
        if served is not None:
            served.set()
            self._note(self._pool.release(name))

    async def _loan(self, name: Hashable) -> Loan:
        while True:
            held = self._pool.held(name)
            if held and all(each in self._workers for each in held):
                return Loan(held, tuple(self._workers[each] for each in held))
            if held:  # their machine was lost since
                self._note(self._pool.rechoose(name))
                continue
            self._served[name].clear()
            await self._served[name].wait()
            if name not in self._served:
                raise asyncio.CancelledError

    def _note(self, served: Iterable[Hashable]) -> None:
        for name in served:
            self._served[name].set()

    async def _watch(self) -> None:
        """Follow the machines of the cluster."""
        while True:
            try:
                await self._look()
            except (RayError, OSError, RuntimeError, ValueError):  # what Ray raises if its head is lost
                _LOG.debug("the cluster does not answer", exc_info=True)
            await asyncio.sleep(_POLL_S)

    async def _look(self) -> None:
        nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        if self._context.admission is not None:
            verdicts = await asyncio.gather(*(self._context.admission.verdict.remote(node) for node in nodes))
            nodes = {
                node: resources
                for (node, resources), verdict in zip(nodes.items(), verdicts, strict=True)
                if verdict == ADMITTED
            }
        present = {
            Accelerator(node, index)
            for node, resources in nodes.items()
            for index in range(self._unit.number_on(resources))
        }
        gone = self._workers.keys() - present
        broken = self._pool.remove(gone)
        for accelerator in gone:
            # A stage that still computes there loses its worker, and continues elsewhere.
            self._workers.pop(accelerator)
        for name in broken:
            self._restart_workers(name)
        new = sorted(present - self._workers.keys())
        for accelerator in new:
            self._workers[accelerator] = self._start(accelerator)
        self._note(self._pool.add(new))

    def _restart_workers(self, name: Hashable) -> None:
        """Start the workers of a stage again, which may wait for minutes for a rank whose machine is lost."""
        for accelerator in self._pool.held(name):
            if accelerator in self._workers:
                ray.kill(self._workers[accelerator], no_restart=False)

    def _start(self, accelerator: Accelerator) -> Any:  # noqa: ANN401  actor handle
        actor_class = ray.remote(num_cpus=self._unit.cpus, num_gpus=self._unit.gpus, max_restarts=-1)(
            StageWorker
        )
        placed = actor_class.options(scheduling_strategy=on_machine(accelerator.machine))
        return placed.remote(self._context)


def start_broker(context: SweepContext, share: Share, scaling: Scaling) -> Any:  # noqa: ANN401  actor handle
    """Start the broker on the driver's machine.

    Args:
        context: of the sweep, for the workers.
        share: of a trial: a stage trains on as much, or on several times as much if it is idle.
        scaling: of a stage.
    """
    actor_class = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=_MAX_CALLS)(
        AcceleratorBroker
    )
    unit = AcceleratorUnit.of(share.cpus, share.gpus, scaling.max_width)
    # Pickled here, because Ray prints an error about an actor that may restart and gets handles of others.
    pickled = cloudpickle.dumps(context)
    return actor_class.options(scheduling_strategy=on_driver_machine()).remote(unit, pickled)
