"""Leases in a cluster: one holder at a time, whoever dies."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest

from autohier.sweep.lease_book import Holder

STAGE = "pass-2-abc"
LONG_S = 600.0
PATIENCE_S = 60.0
FIRST, SECOND = Holder("/sweeps/mhad", "t0000"), Holder("/sweeps/mhad", "t0001")


pytestmark = pytest.mark.usefixtures("ray_address")


@pytest.fixture
def book(tmp_path):
    """An open book of the stages in tmp_path."""
    from autohier.sweep.leases import lease_book_open

    with lease_book_open(tmp_path, ttl_s=2.0):
        yield


def leases_of(holder, tmp_path, *, ttl_s=LONG_S):
    from autohier.sweep.leases import RayLeases

    return RayLeases(tmp_path, holder, ttl_s=ttl_s)


def nobody_is_in_the_way(holder):
    pytest.fail(f"waited for {holder}")


class Waiter:
    """Takes the lease in a thread of its own, and lets it go at once."""

    def __init__(self, leases):
        self.told = []
        self._begun, self.took_s = time.monotonic(), None
        self._thread = threading.Thread(target=self._take, args=(leases,), daemon=True)
        self._thread.start()

    def _take(self, leases):
        with leases.hold(STAGE, self.told.append):
            self.took_s = time.monotonic() - self._begun

    def waits(self):
        deadline = time.monotonic() + PATIENCE_S
        while not self.told and time.monotonic() < deadline:
            time.sleep(0.05)
        return bool(self.told) and self.took_s is None

    def gets_it(self):
        self._thread.join(PATIENCE_S)
        return self.took_s is not None


@contextmanager
def another_process(tmp_path, holder, ttl_s):
    """A process that holds the lease; gives what kills it with SIGKILL."""
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
    """The actor that keeps the book."""
    import ray

    from autohier.sweep import leases

    return ray.get_actor(leases._actor_name(tmp_path), namespace="autohier")


@pytest.mark.usefixtures("book")
def test_a_second_trial_waits_until_the_first_is_done(tmp_path):
    with leases_of(FIRST, tmp_path).hold(STAGE, nobody_is_in_the_way):
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        with leases_of(SECOND, tmp_path).hold("another stage", nobody_is_in_the_way):
            pass
    assert waiter.gets_it()
    assert waiter.told == ["t0000"]


@pytest.mark.usefixtures("book")
def test_sweeps_that_share_a_store_share_its_leases(tmp_path):
    with leases_of(FIRST, tmp_path).hold(STAGE, nobody_is_in_the_way):
        waiter = Waiter(leases_of(Holder("/sweeps/other", "t0000"), tmp_path))
        assert waiter.waits()
    assert waiter.gets_it()
    assert waiter.told == ["t0000 of mhad"]


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize("end", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_trial_that_is_cut_short_releases_at_once(tmp_path, end):
    with pytest.raises(end, match="cut"), leases_of(FIRST, tmp_path).hold(STAGE, nobody_is_in_the_way):
        raise end("cut")
    with leases_of(SECOND, tmp_path).hold(STAGE, nobody_is_in_the_way):
        pass


@pytest.mark.usefixtures("book")
def test_a_holder_that_lives_keeps_its_lease(tmp_path):
    with leases_of(FIRST, tmp_path, ttl_s=0.8).hold(STAGE, nobody_is_in_the_way):
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        time.sleep(2.0)
        assert waiter.took_s is None
    assert waiter.gets_it()


@pytest.mark.usefixtures("book")
def test_a_killed_holder_is_waited_for_until_its_time_is_over(tmp_path):
    with another_process(tmp_path, FIRST, ttl_s=3.0) as kill:
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        kill()
        assert waiter.gets_it()
    assert waiter.told == ["t0000"]


@pytest.mark.usefixtures("book")
def test_a_holder_that_is_known_to_be_dead_is_not_waited_for(tmp_path):
    with another_process(tmp_path, FIRST, ttl_s=LONG_S) as kill:
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        kill()
        leases_of(FIRST, tmp_path).give_up()
        assert waiter.gets_it()


@pytest.mark.usefixtures("book")
def test_a_trial_that_is_started_again_takes_over_from_itself(tmp_path):
    with (
        another_process(tmp_path, FIRST, ttl_s=LONG_S) as kill,
        another_process(tmp_path, FIRST, ttl_s=LONG_S),
    ):
        kill()
        assert Waiter(leases_of(SECOND, tmp_path)).waits()


@pytest.mark.usefixtures("book")
def test_a_lost_lease_is_told_and_its_holder_goes_on(tmp_path, caplog):
    with leases_of(FIRST, tmp_path, ttl_s=0.8).hold(STAGE, nobody_is_in_the_way):
        leases_of(FIRST, tmp_path).give_up()
        with leases_of(SECOND, tmp_path).hold(STAGE, nobody_is_in_the_way):
            time.sleep(1.0)
    assert f"t0000 was held up for too long: t0001 computes {STAGE} too, and both go on" in caplog.text


@pytest.mark.usefixtures("book")
def test_a_book_that_is_lost_is_replaced_and_its_leases_hold(tmp_path):
    import ray

    with leases_of(FIRST, tmp_path, ttl_s=2.0).hold(STAGE, nobody_is_in_the_way):
        lost = actor_of(tmp_path)
        ray.kill(lost)
        waiter = Waiter(leases_of(SECOND, tmp_path))
        assert waiter.waits()
        assert waiter.told == ["t0000"]
        assert actor_of(tmp_path) != lost
    assert waiter.gets_it()


def test_a_sweep_goes_on_when_the_one_that_opened_the_book_ends(tmp_path):
    import ray

    from autohier.sweep.leases import lease_book_open

    class Driver:
        def open(self):
            self.book = lease_book_open(tmp_path)
            self.book.__enter__()
            leases = leases_of(SECOND, tmp_path)
            with leases.hold("another stage", nobody_is_in_the_way):
                pass

    opener = ray.remote(num_cpus=0)(Driver).remote()
    ray.get(opener.open.remote())
    with lease_book_open(tmp_path, ttl_s=2.0):
        with leases_of(FIRST, tmp_path, ttl_s=2.0).hold(STAGE, nobody_is_in_the_way):
            lost = actor_of(tmp_path)
            ray.kill(opener)
            with pytest.raises(ray.exceptions.RayActorError, match="owner"):
                while True:
                    ray.get(lost.__ray_ready__.remote())
            waiter = Waiter(leases_of(SECOND, tmp_path))
            assert waiter.waits()
            assert actor_of(tmp_path) != lost
        assert waiter.gets_it()


def test_without_a_book_a_stage_is_computed_all_the_same(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("autohier.sweep.leases._PATIENCE_S", 0.5)
    with leases_of(FIRST, tmp_path).hold(STAGE, nobody_is_in_the_way):
        pass
    assert f"does not answer; {STAGE} is computed without a lease, maybe twice" in caplog.text


@pytest.mark.parametrize("ttl_s", [0.0, -1.0])
def test_a_lease_lasts(tmp_path, ttl_s):
    with pytest.raises(ValueError, match="must last for more than 0 s"):
        leases_of(FIRST, tmp_path, ttl_s=ttl_s)
