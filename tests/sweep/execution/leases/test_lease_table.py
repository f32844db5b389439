"""Tests of the lease table, with a clock that the tests set."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autohier.sweep.execution.leases.lease_table import Holder, Lease, LeaseTable

TTL_S = 60.0
NAME = "pass-2-abc"
FIRST, SECOND, THIRD = (Holder("/sweeps/mhad", f"t000{index}") for index in range(3))


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(clock):
    return LeaseTable(clock=clock)


def test_a_lease_is_granted_once_and_others_learn_its_holder(table):
    lease = table.take(NAME, FIRST, TTL_S)
    assert lease.holder == FIRST
    assert table.take(NAME, SECOND, TTL_S) == lease
    assert table.take("another stage", SECOND, TTL_S).holder == SECOND


def test_a_lease_expires(table, clock):
    lease = table.take(NAME, FIRST, TTL_S)
    clock.now_s += TTL_S - 1e-3
    assert table.take(NAME, SECOND, TTL_S) == lease
    clock.now_s += 1e-3
    assert table.take(NAME, SECOND, TTL_S).holder == SECOND
    assert table.take(NAME, THIRD, TTL_S).holder == SECOND


def test_a_renewal_extends_a_lease(table, clock):
    lease = table.take(NAME, FIRST, TTL_S)
    for _ in range(10):
        clock.now_s += TTL_S / 2
        assert table.renew(NAME, lease, TTL_S) == lease
    clock.now_s += TTL_S / 2
    assert table.take(NAME, SECOND, TTL_S) == lease


def test_the_holder_of_an_expired_lease_learns_who_took_it(table, clock):
    lease = table.take(NAME, FIRST, TTL_S)
    clock.now_s += TTL_S
    taken = table.take(NAME, SECOND, TTL_S)
    assert table.renew(NAME, lease, TTL_S) == taken
    table.release(NAME, lease)
    assert table.take(NAME, THIRD, TTL_S) == taken


def test_an_expired_lease_that_is_still_free_is_renewed(table, clock):
    lease = table.take(NAME, FIRST, TTL_S)
    clock.now_s += 5 * TTL_S
    assert table.renew(NAME, lease, TTL_S) == lease
    assert table.take(NAME, SECOND, TTL_S) == lease


def test_a_released_lease_is_free_at_once(table):
    table.release(NAME, table.take(NAME, FIRST, TTL_S))
    assert table.take(NAME, SECOND, TTL_S).holder == SECOND


def test_numbers_rise(table):
    numbers = []
    for holder in (FIRST, SECOND, FIRST, FIRST):
        lease = table.take(NAME, holder, TTL_S)
        numbers.append(lease.number)
        table.release(NAME, lease)
    assert numbers == sorted(set(numbers))


def test_a_restarted_trial_does_not_wait_for_itself(table):
    before = table.take(NAME, FIRST, TTL_S)
    again = table.take(NAME, FIRST, TTL_S)
    assert again.holder == FIRST
    assert again.number > before.number
    # Late calls of its former process change nothing.
    assert table.renew(NAME, before, TTL_S) == again
    table.release(NAME, before)
    assert table.take(NAME, SECOND, TTL_S) == again


def test_the_leases_of_a_dead_holder_are_free(table):
    kept = table.take("another stage", SECOND, TTL_S)
    table.take(NAME, FIRST, TTL_S)
    table.give_up(FIRST)
    assert table.take(NAME, SECOND, TTL_S).holder == SECOND
    assert table.take("another stage", THIRD, TTL_S) == kept


def test_a_new_table_accepts_the_leases_of_a_lost_one_before_it_grants_others(clock):
    lost = LeaseTable(clock=clock)
    lost.take("another stage", THIRD, TTL_S)
    lease = lost.take(NAME, FIRST, TTL_S)
    table = LeaseTable(20.0, clock)
    assert table.take(NAME, SECOND, TTL_S) is None
    clock.now_s += 19.0
    assert table.renew(NAME, lease, TTL_S) == lease
    assert table.take(NAME, SECOND, TTL_S) == lease
    assert table.take("a third stage", SECOND, TTL_S) is None
    clock.now_s += 1.0
    assert table.take(NAME, SECOND, TTL_S) == lease
    assert table.take("a third stage", SECOND, TTL_S).number > lease.number


def test_the_holder_s_name_includes_another_sweep():
    assert FIRST.called_by(SECOND) == "t0000"
    assert FIRST.called_by(Holder("/sweeps/other", "t0001")) == "t0000 of mhad"


class OneHolderAtATime(RuleBasedStateMachine):
    """Processes that rely on their leases until these expire by their own clock.

    Processes 0 and 3, 1 and 4, ... belong to one holder: Ray starts the second after the first has died.
    """

    processes = st.integers(0, 5)
    stages = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.table = LeaseTable(clock=self.clock)
        self.leases: dict[tuple[str, int], Lease] = {}
        self.valid_until: dict[tuple[str, int], float] = {}
        self.last_number = 0

    def invalidate(self, holder: Holder, stage: str | None = None) -> None:
        for key, lease in self.leases.items():
            if lease.holder == holder and stage in (None, key[0]):
                self.valid_until.pop(key, None)

    @rule(seconds=st.floats(0, 1.5 * TTL_S))
    def time_passes(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule(process=processes, stage=stages)
    def take(self, process: int, stage: str) -> None:
        holder = Holder("sweep", f"t{process % 3}")
        lease = self.table.take(stage, holder, TTL_S)
        assert lease is not None
        if lease.holder == holder:
            assert lease.number > self.last_number
            self.last_number = lease.number
            self.invalidate(holder, stage)
            self.leases[stage, process] = lease
            self.valid_until[stage, process] = self.clock.now_s + TTL_S

    @rule(process=processes, stage=stages)
    def renew(self, process: int, stage: str) -> None:
        lease = self.leases.get((stage, process))
        if lease is None:
            return
        if self.table.renew(stage, lease, TTL_S) == lease:
            self.valid_until[stage, process] = self.clock.now_s + TTL_S
        else:
            self.valid_until.pop((stage, process), None)

    @rule(process=processes, stage=stages)
    def release(self, process: int, stage: str) -> None:
        lease = self.leases.pop((stage, process), None)
        if lease is not None:
            self.table.release(stage, lease)
            self.valid_until.pop((stage, process), None)

    @rule(process=processes)
    def die(self, process: int) -> None:
        holder = Holder("sweep", f"t{process % 3}")
        self.table.give_up(holder)
        self.invalidate(holder)

    @invariant()
    def no_stage_has_two_holders(self) -> None:
        for stage in ("a", "b"):
            holders = [
                process
                for (name, process), until in self.valid_until.items()
                if name == stage and until > self.clock.now_s
            ]
            assert len(holders) <= 1

    @invariant()
    def a_released_stage_has_no_holder(self) -> None:
        for stage in ("a", "b"):
            valid = self.table._valid(stage)
            assert valid is None or valid in [
                lease for (name, _), lease in self.leases.items() if name == stage
            ]


TestOneHolderAtATime = OneHolderAtATime.TestCase
