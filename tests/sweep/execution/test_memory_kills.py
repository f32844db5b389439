"""Tests of processes that Ray's memory monitor kills."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NoReturn

import pytest
import ray
from ray.exceptions import OutOfMemoryError, RayActorError

from autohier.sweep.execution.accelerators.worker_answers import gathered
from autohier.sweep.execution.leases.lease_table import Holder
from autohier.sweep.execution.leases.ray_leases import RayLeases
from autohier.sweep.execution.memory_kills import deaths_by_memory

KILLED = OutOfMemoryError(
    "1 worker(s) were killed due to the node running low on memory.\nTop 10 memory users"
)


def kill(*_: object, **__: object) -> NoReturn:
    raise KILLED


def test_a_process_that_the_memory_monitor_killed_counts_as_dead() -> None:
    with (
        pytest.raises(RayActorError, match=r"ran low on memory: 1 worker.* low on memory\.$") as caught,
        deaths_by_memory(),
    ):
        kill()
    assert not caught.value.preempted


def test_a_killed_lease_table_does_not_end_the_driver(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = SimpleNamespace(give_up=SimpleNamespace(remote=lambda _: None))
    monkeypatch.setattr(ray, "get_actor", lambda *_, **__: table)
    monkeypatch.setattr(ray, "get", kill)
    RayLeases(tmp_path, Holder("/sweeps/mhad", "t0000")).give_up()


def test_the_answer_of_a_killed_worker_is_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda pending, **_: (pending, []))
    monkeypatch.setattr(ray, "get", kill)
    with pytest.raises(RayActorError, match="ran low on memory"):
        gathered(["answer"], [])
