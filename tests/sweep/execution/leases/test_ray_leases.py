"""Tests of leases in a cluster: one holder at a time, also after processes die."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from autohier.sweep.execution.leases.lease_table import Holder

STAGE = "pass-2-abc"
LONG_S = 3600.0
"""Longer than any test, so that no lease expires by itself on a slow machine."""
TABLE_TTL_S = 18.0
"""A table that replaces a lost one grants no leases for a third of this, in which holders renew theirs."""
FIRST, SECOND = Holder("/sweeps/mhad", "t0000"), Holder("/sweeps/mhad", "t0001")

# Ray's workers import this file without tests/ on their path: `support` is imported within functions.
pytestmark = pytest.mark.usefixtures("ray_address")


@pytest.fixture
def table(tmp_path):
    """An open lease table for the stages in tmp_path."""
    from autohier.sweep.execution.leases.ray_leases import open_lease_table

    with open_lease_table(tmp_path, ttl_s=TABLE_TTL_S):
        yield


@pytest.fixture(autouse=True)
def renew_often(monkeypatch):
    """Renew the leases of this process ten times a second, however long they last."""
    from autohier.sweep.execution.leases import ray_leases

    monkeypatch.setattr(ray_leases, "_RENEWAL", 0.1 / LONG_S)


def leases_of(holder, tmp_path, *, ttl_s=LONG_S):
    from autohier.sweep.execution.leases.ray_leases import RayLeases

    return RayLeases(tmp_path, holder, ttl_s=ttl_s)


def fail_on_wait(holder):
    pytest.fail(f"waited for {holder}")


class Waiter:
    """Takes the lease in a thread of its own and releases it at once."""

    def __init__(self, leases):
        self.holders, self.took = [], False
        self._thread = threading.Thread(target=self._take, args=(leases,), daemon=True)
        self._thread.start()

    def _take(self, leases):
        with leases.hold(STAGE, self.holders.append):
            self.took = True

    def waits(self):
        from support.waiting import wait_until

        wait_until(lambda: self.holders or self.took, "a trial waits for a lease or takes it")
        return not self.took

    def gets_it(self):
        from support.waiting import PATIENCE_S

        self._thread.join(PATIENCE_S)
        return self.took


@contextmanager
def another_process(tmp_path, holder, ttl_s):
    """Start a process that holds the lease; yield a function that kills it with SIGKILL."""
    import os

    import ray

    class Process:
        def hold(self):
            self.held = leases_of(holder, tmp_path, ttl_s=ttl_s).hold(STAGE, print)
            self.held.__enter__()
            return os.getpid()

    actor = ray.remote(num_cpus=0)(Process).remote()
    pid = ray.get(actor.hold.remote())
    try:
        yield lambda: os.kill(pid, 9)
    finally:
        ray.kill(actor)


def actor_of(tmp_path):
    """Return the actor of the lease table."""
    import ray

    from autohier.sweep.execution.leases import ray_leases

    return ray.get_actor(ray_leases._actor_name(tmp_path), namespace="autohier")


def in_table(tmp_path, function):
    """Call a function on the lease table, in its process, and return its result."""
    import ray

    return ray.get(actor_of(tmp_path).__ray_call__.remote(function))


@pytest.mark.usefixtures("table")
def test_a_second_trial_waits_for_the_first(tmp_path):
    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        with leases_of(SECOND, tmp_path).hold("another stage", fail_on_wait):
            pass
    assert waiter.gets_it()
    assert waiter.holders == ["t0000"]


@pytest.mark.usefixtures("table")
def test_sweeps_that_share_a_store_share_its_leases(tmp_path):
    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        waiter = Waiter(leases_of(Holder("/sweeps/other", "t0000"), tmp_path))
        assert waiter.waits()
    assert waiter.gets_it()
    assert waiter.holders == ["t0000 of mhad"]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("end", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_interrupted_trial_releases_its_lease(tmp_path, end):
    with pytest.raises(end, match="cut"), leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        raise end("cut")
    with leases_of(SECOND, tmp_path).hold(STAGE, fail_on_wait):
        pass


@pytest.mark.usefixtures("table")
def test_a_living_holder_keeps_its_lease(tmp_path):
    from support.waiting import wait_until

    def end_of_lease(table):
        return table._leases[STAGE][1]

    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        for _ in range(3):
            end = in_table(tmp_path, end_of_lease)
            wait_until(lambda end=end: in_table(tmp_path, end_of_lease) > end, "the lease is renewed")
        assert not waiter.took
    assert waiter.gets_it()


@pytest.mark.usefixtures("table")
def test_the_lease_of_a_killed_holder_expires(tmp_path):
    def advance_clock(table):
        before = table._clock
        table._clock = lambda: before() + LONG_S

    with another_process(tmp_path, FIRST, ttl_s=LONG_S) as kill:
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        kill()
        assert waiter.waits()
        in_table(tmp_path, advance_clock)
        assert waiter.gets_it()
    assert waiter.holders == ["t0000"]


@pytest.mark.usefixtures("table")
def test_the_leases_of_a_holder_known_as_dead_end_at_once(tmp_path):
    with another_process(tmp_path, FIRST, ttl_s=LONG_S) as kill:
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        kill()
        leases_of(FIRST, tmp_path).give_up()
        assert waiter.gets_it()


@pytest.mark.usefixtures("table")
def test_a_restarted_trial_takes_over_its_own_lease(tmp_path):
    with (
        another_process(tmp_path, FIRST, ttl_s=LONG_S) as kill,
        another_process(tmp_path, FIRST, ttl_s=LONG_S),
    ):
        kill()
        assert Waiter(leases_of(SECOND, tmp_path)).waits()


@pytest.mark.usefixtures("table")
def test_a_lost_lease_is_logged_and_both_holders_continue(tmp_path, caplog):
    from support.waiting import wait_until

    def pass_on(table):
        table.give_up(FIRST)
        table.take(STAGE, SECOND, LONG_S)

    expected = f"the lease of t0000 expired: t0001 computes {STAGE} too, and both continue"
    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        in_table(tmp_path, pass_on)  # in one call, between two renewals
        with leases_of(SECOND, tmp_path).hold(STAGE, fail_on_wait):
            wait_until(lambda: expected in caplog.text, "the lost lease is logged")


@pytest.mark.usefixtures("table")
def test_a_lost_table_is_replaced_and_its_leases_stay_valid(tmp_path):
    import ray

    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        lost = actor_of(tmp_path)
        ray.kill(lost)
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        assert waiter.holders == ["t0000"]
        assert actor_of(tmp_path) != lost
    assert waiter.gets_it()


def test_a_sweep_continues_after_the_driver_that_opened_the_table_ends(tmp_path):
    import ray

    from autohier.sweep.execution.leases.ray_leases import open_lease_table

    class Driver:
        def open(self):
            self.table = open_lease_table(tmp_path)
            self.table.__enter__()
            leases = leases_of(SECOND, tmp_path)
            with leases.hold("another stage", fail_on_wait):
                pass

    opener = ray.remote(num_cpus=0)(Driver).remote()
    ray.get(opener.open.remote())
    with open_lease_table(tmp_path, ttl_s=TABLE_TTL_S):
        with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
            lost = actor_of(tmp_path)
            ray.kill(opener)
            with pytest.raises(ray.exceptions.RayActorError, match="owner"):
                while True:
                    ray.get(lost.__ray_ready__.remote())
            waiter = Waiter(leases_of(SECOND, tmp_path))
            assert waiter.waits()
            assert actor_of(tmp_path) != lost
        assert waiter.gets_it()


def test_without_a_table_a_stage_is_computed_without_a_lease(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("autohier.sweep.execution.leases.ray_leases._PATIENCE_S", 0.5)
    with leases_of(FIRST, tmp_path).hold(STAGE, fail_on_wait):
        pass
    assert f"does not answer; {STAGE} is computed without a lease, maybe twice" in caplog.text


@pytest.mark.parametrize("ttl_s", [0.0, -1.0])
def test_a_lease_must_last(tmp_path, ttl_s):
    with pytest.raises(ValueError, match="must last for more than 0 s"):
        leases_of(FIRST, tmp_path, ttl_s=ttl_s)
