"""The broker without Ray: machines that come and go, and claims of processes that die."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from autohier.sweep.execution.ray_session.session import be_quiet

be_quiet()  # Ray reads its environment when it is imported

from autohier.sweep.execution.accelerators import broker as module  # noqa: E402
from autohier.sweep.execution.accelerators.broker import AcceleratorBroker, AcceleratorUnit, Loan  # noqa: E402


@pytest.mark.parametrize(
    ("cpus", "gpus", "max_width", "unit", "resources", "number"),
    [
        # CPU only; a GPU each; half a GPU; four GPUs for every stage.
        (2, 0, 8, AcceleratorUnit(2, 0, 1, 8), {"CPU": 7}, 3),
        (2, 0, 8, AcceleratorUnit(2, 0, 1, 8), {"CPU": 7, "memory": 2.5 * (1 << 30)}, 2),
        (4, 1, 8, AcceleratorUnit(4, 1, 1, 8), {"CPU": 64, "GPU": 8}, 8),
        (4, 1, 8, AcceleratorUnit(4, 1, 1, 8), {"CPU": 64}, 0),
        (1, 0.5, 1, AcceleratorUnit(1, 0.5, 1, 1), {"CPU": 3, "GPU": 2}, 3),
        (16, 4, 8, AcceleratorUnit(4, 1, 4, 8), {"CPU": 32, "GPU": 8}, 8),
        (16, 4, 2, AcceleratorUnit(4, 1, 4, 4), {"CPU": 32, "GPU": 8}, 8),
    ],
)
def test_the_unit_of_a_trial_s_share(
    cpus: float, gpus: float, max_width: int, unit: AcceleratorUnit, resources: dict[str, float], number: int
) -> None:
    assert AcceleratorUnit.of(cpus, gpus, max_width) == unit
    assert unit.number_on(resources) == number


@dataclass
class Machines:
    """The cluster that the broker sees."""

    cores: dict[str, int]
    started: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    wrap: Callable[[str], Any] = str
    """Makes a worker of its name."""

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "Alive": number > 0, "Resources": {"CPU": number}}
            for name, number in self.cores.items()
        ]

    def start(self, accelerator: Any) -> Any:
        worker = f"{accelerator.machine}{accelerator.index}"
        self.started.append(worker)
        return self.wrap(worker)

    def kill(self, worker: Any, *, no_restart: bool) -> None:
        assert not no_restart
        self.restarted.append(worker)


class Context:
    """A sweep on machines that need no admission."""

    admission = None


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    machines = Machines({"a": 2})
    monkeypatch.setattr("ray.nodes", machines.nodes)
    monkeypatch.setattr(AcceleratorBroker, "_start", lambda _, accelerator: machines.start(accelerator))
    monkeypatch.setattr("ray.kill", machines.kill)
    monkeypatch.setattr(module, "_POLL_S", 0.001)
    return machines


def run(steps: Callable[[AcceleratorBroker], Awaitable[None]], *, max_width: int = 2) -> None:
    async def whole() -> None:
        broker = AcceleratorBroker(AcceleratorUnit(1, 0, 1, max_width), pickle.dumps(Context()))
        await asyncio.wait_for(steps(broker), 10)

    asyncio.run(whole())


def names(loan: Loan) -> str:
    return " ".join(loan.workers)


async def capacity_is(broker: AcceleratorBroker, number: int) -> None:
    while await broker.capacity() != number:
        await asyncio.sleep(0.001)


@pytest.mark.usefixtures("machines")
def test_a_claim_waits_until_it_is_served() -> None:
    async def steps(broker: AcceleratorBroker) -> None:
        assert names(await broker.claim("t0", "s")) == "a0 a1"
        second = asyncio.ensure_future(broker.claim("t1", "s"))
        await asyncio.sleep(0.01)
        assert not second.done()
        first = await broker.rechoose("t0", "s")
        assert {names(first), names(await second)} == {"a0", "a1"}
        await broker.release("t1", "s")
        assert names(await broker.rechoose("t0", "s")) == "a0 a1"

    run(steps)


@pytest.mark.usefixtures("machines")
def test_a_claim_of_a_process_in_place_of_a_dead_one_is_answered() -> None:
    async def steps(broker: AcceleratorBroker) -> None:
        assert await broker.claim("t0", "s") == await broker.claim("t0", "s")
        await broker.give_up("t0")
        assert await broker.idle() == 2
        # A broker that was lost does not know the stage any more.
        assert names(await broker.rechoose("t1", "s", limit=1)) == "a0"
        await broker.release("t1", "s")
        assert names(await broker.rechoose("t0", "s")) == "a0 a1"
        await broker.release("t0", "s")
        await broker.release("t0", "s")
        assert await broker.idle() == 2

    run(steps)


@pytest.mark.usefixtures("machines")
def test_what_waits_for_a_trial_that_gave_up_ends() -> None:
    async def steps(broker: AcceleratorBroker) -> None:
        await broker.claim("t0", "s")
        waiting = asyncio.ensure_future(broker.claim("t1", "s"))
        await asyncio.sleep(0.01)
        await broker.give_up("t1")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await broker.release("t0", "s")
        assert await broker.idle() == 2

    run(steps)


def test_machines_come_and_go(machines: Machines) -> None:
    async def steps(broker: AcceleratorBroker) -> None:
        await capacity_is(broker, 2)
        machines.cores["b"] = 3
        await capacity_is(broker, 5)
        assert await broker.machines() == {"a": 2, "b": 3}
        loan = await broker.claim("t0", "s")
        assert len(loan.workers) == 5
        machines.cores["a"] = 0
        await capacity_is(broker, 3)
        assert names(await broker.rechoose("t0", "s")) == "b0 b1 b2"
        machines.cores["b"] = 0
        await capacity_is(broker, 0)
        waiting = asyncio.ensure_future(broker.rechoose("t0", "s"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        machines.cores["c"] = 1
        assert names(await waiting) == "c0"

    run(steps, max_width=8)
    assert machines.started == ["a0", "a1", "b0", "b1", "b2", "c0"]


def test_a_second_claim_after_the_loss_of_its_machine_gets_another(machines: Machines) -> None:
    async def steps(broker: AcceleratorBroker) -> None:
        await capacity_is(broker, 2)
        assert names(await broker.claim("t0", "s")) == "a0 a1"
        machines.cores.update(a=0, b=1)
        await capacity_is(broker, 1)
        assert names(await broker.claim("t0", "s")) == "b0"

    run(steps)


def test_workers_whose_stage_lost_another_start_again(machines: Machines) -> None:
    machines.cores.update(b=2)

    async def steps(broker: AcceleratorBroker) -> None:
        await capacity_is(broker, 4)
        await broker.claim("t0", "s")
        machines.cores.update(a=1)
        await capacity_is(broker, 3)
        assert machines.restarted == ["a0", "b0", "b1"]
        # If the process of the trial ends, its workers compute for none.
        await broker.give_up("t0")
        assert machines.restarted[3:] == ["a0", "b0", "b1"]
        await broker.claim("t1", "s", limit=1)
        await broker.give_up("t1")
        assert machines.restarted[6:] == ["a0"]

    run(steps, max_width=4)


def test_the_device_is_asked_of_another_worker_if_one_is_lost(machines: Machines) -> None:
    from ray.exceptions import ActorUnschedulableError

    asked: list[str] = []

    class Worker:
        def __init__(self, name: str) -> None:
            self.name, self.device_type = name, self

        async def remote(self) -> str:
            asked.append(self.name)
            if self.name == "a0":
                machines.cores.update(a=0, b=1)
                raise ActorUnschedulableError("its machine is gone")
            return "cuda"

    machines.wrap = Worker

    async def steps(broker: AcceleratorBroker) -> None:
        assert await broker.device_type() == "cuda"

    run(steps)
    assert (asked[0], asked[-1]) == ("a0", "b0")


def test_only_admitted_machines_have_workers(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = {"a": "", "b": "it does not share the folder"}

    class Verdict:
        @staticmethod
        async def remote(node: str) -> str | None:
            return verdicts.get(node)

    class Table:
        verdict = Verdict

    monkeypatch.setattr(Context, "admission", Table)
    machines.cores.update(b=2, c=2)

    async def steps(broker: AcceleratorBroker) -> None:
        await capacity_is(broker, 2)
        verdicts["c"] = ""
        await capacity_is(broker, 4)

    run(steps)
    assert machines.started == ["a0", "a1", "c0", "c1"]
