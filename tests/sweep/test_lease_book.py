"""The book of leases, with a clock that the tests turn."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autohier.sweep.lease_book import Holder, Lease, LeaseBook

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
def book(clock):
    return LeaseBook(clock=clock)


def test_it_is_granted_once_and_others_learn_who_has_it(book):
    lease = book.take(NAME, FIRST, TTL_S)
    assert lease.holder == FIRST
    assert book.take(NAME, SECOND, TTL_S) == lease
    assert book.take("another stage", SECOND, TTL_S).holder == SECOND


def test_it_ends_when_its_time_is_over(book, clock):
    lease = book.take(NAME, FIRST, TTL_S)
    clock.now_s += TTL_S - 1e-3
    assert book.take(NAME, SECOND, TTL_S) == lease
    clock.now_s += 1e-3
    assert book.take(NAME, SECOND, TTL_S).holder == SECOND
    assert book.take(NAME, THIRD, TTL_S).holder == SECOND


def test_a_sign_of_life_gives_it_its_whole_time_again(book, clock):
    lease = book.take(NAME, FIRST, TTL_S)
    for _ in range(10):
        clock.now_s += TTL_S / 2
        assert book.renew(NAME, lease, TTL_S) == lease
    clock.now_s += TTL_S / 2
    assert book.take(NAME, SECOND, TTL_S) == lease


def test_a_holder_that_was_held_up_learns_who_took_over(book, clock):
    lease = book.take(NAME, FIRST, TTL_S)
    clock.now_s += TTL_S
    taken = book.take(NAME, SECOND, TTL_S)
    assert book.renew(NAME, lease, TTL_S) == taken
    book.release(NAME, lease)
    assert book.take(NAME, THIRD, TTL_S) == taken


def test_a_holder_that_was_held_up_goes_on_where_nobody_took_over(book, clock):
    lease = book.take(NAME, FIRST, TTL_S)
    clock.now_s += 5 * TTL_S
    assert book.renew(NAME, lease, TTL_S) == lease
    assert book.take(NAME, SECOND, TTL_S) == lease


def test_who_releases_it_makes_room_at_once(book):
    book.release(NAME, book.take(NAME, FIRST, TTL_S))
    assert book.take(NAME, SECOND, TTL_S).holder == SECOND


def test_numbers_rise(book):
    numbers = []
    for holder in (FIRST, SECOND, FIRST, FIRST):
        lease = book.take(NAME, holder, TTL_S)
        numbers.append(lease.number)
        book.release(NAME, lease)
    assert numbers == sorted(set(numbers))


def test_a_trial_that_is_started_again_does_not_wait_for_itself(book):
    before = book.take(NAME, FIRST, TTL_S)
    again = book.take(NAME, FIRST, TTL_S)
    assert again.holder == FIRST
    assert again.number > before.number
    # Whatever its former process still says changes nothing.
    assert book.renew(NAME, before, TTL_S) == again
    book.release(NAME, before)
    assert book.take(NAME, SECOND, TTL_S) == again


def test_a_dead_holder_is_waited_for_no_longer(book):
    kept = book.take("another stage", SECOND, TTL_S)
    book.take(NAME, FIRST, TTL_S)
    book.give_up(FIRST)
    assert book.take(NAME, SECOND, TTL_S).holder == SECOND
    assert book.take("another stage", THIRD, TTL_S) == kept


def test_a_new_book_hears_what_a_lost_one_had_granted_before_it_grants(clock):
    lost = LeaseBook(clock=clock)
    lost.take("another stage", THIRD, TTL_S)
    lease = lost.take(NAME, FIRST, TTL_S)
    book = LeaseBook(20.0, clock)
    assert book.take(NAME, SECOND, TTL_S) is None
    clock.now_s += 19.0
    assert book.renew(NAME, lease, TTL_S) == lease
    assert book.take(NAME, SECOND, TTL_S) == lease
    assert book.take("a third stage", SECOND, TTL_S) is None
    clock.now_s += 1.0
    assert book.take(NAME, SECOND, TTL_S) == lease
    assert book.take("a third stage", SECOND, TTL_S).number > lease.number


def test_people_are_told_of_another_sweep_where_it_is_one():
    assert FIRST.called_by(SECOND) == "t0000"
    assert FIRST.called_by(Holder("/sweeps/other", "t0001")) == "t0000 of mhad"


class OneHolderAtATime(RuleBasedStateMachine):
    """Processes that believe in their leases until those run out by their own account.

    Processes 0 and 3, 1 and 4, ... belong to one holder: Ray starts the second one when the first is dead.
    """

    processes = st.integers(0, 5)
    stages = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.book = LeaseBook(clock=self.clock)
        self.leases: dict[tuple[str, int], Lease] = {}
        self.believed_until: dict[tuple[str, int], float] = {}
        self.last_number = 0

    def disown(self, holder: Holder, stage: str | None = None) -> None:
        for key, lease in self.leases.items():
            if lease.holder == holder and stage in (None, key[0]):
                self.believed_until.pop(key, None)

    @rule(seconds=st.floats(0, 1.5 * TTL_S))
    def time_passes(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule(process=processes, stage=stages)
    def take(self, process: int, stage: str) -> None:
        holder = Holder("sweep", f"t{process % 3}")
        lease = self.book.take(stage, holder, TTL_S)
        assert lease is not None
        if lease.holder == holder:
            assert lease.number > self.last_number
            self.last_number = lease.number
            self.disown(holder, stage)
            self.leases[stage, process] = lease
            self.believed_until[stage, process] = self.clock.now_s + TTL_S

    @rule(process=processes, stage=stages)
    def renew(self, process: int, stage: str) -> None:
        lease = self.leases.get((stage, process))
        if lease is None:
            return
        if self.book.renew(stage, lease, TTL_S) == lease:
            self.believed_until[stage, process] = self.clock.now_s + TTL_S
        else:
            self.believed_until.pop((stage, process), None)

    @rule(process=processes, stage=stages)
    def release(self, process: int, stage: str) -> None:
        lease = self.leases.pop((stage, process), None)
        if lease is not None:
            self.book.release(stage, lease)
            self.believed_until.pop((stage, process), None)

    @rule(process=processes)
    def die(self, process: int) -> None:
        holder = Holder("sweep", f"t{process % 3}")
        self.book.give_up(holder)
        self.disown(holder)

    @invariant()
    def no_stage_has_two_holders(self) -> None:
        for stage in ("a", "b"):
            believers = [
                process
                for (name, process), until in self.believed_until.items()
                if name == stage and until > self.clock.now_s
            ]
            assert len(believers) <= 1

    @invariant()
    def nobody_holds_what_was_released(self) -> None:
        for stage in ("a", "b"):
            living = self.book._living(stage)
            assert living is None or living in [
                lease for (name, _), lease in self.leases.items() if name == stage
            ]


TestOneHolderAtATime = OneHolderAtATime.TestCase
