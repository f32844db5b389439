"""Sharing accelerators among stages: small cases by hand, and what holds after any events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.sweep.scheduling.accelerator_pool import Accelerator, AcceleratorPool


def machines(**sizes):
    return [Accelerator(name, index) for name, size in sizes.items() for index in range(size)]


def pool_of(size, **options):
    return AcceleratorPool(machines(m=size), **options)


def widths(pool, *stages):
    return tuple(len(pool.held(stage)) for stage in stages)


def test_a_lone_stage_takes_what_pays():
    pool = pool_of(32, max_width=8)
    assert pool.claim("a") == ("a",)
    assert widths(pool, "a") == (8,)
    assert pool.num_idle == 24


def test_without_a_width_every_stage_has_one():
    pool = pool_of(3)
    assert [pool.claim(name) for name in "abcd"] == [("a",), ("b",), ("c",), ()]
    assert widths(pool, *"abcd") == (1, 1, 1, 0)
    assert pool.waiting == ["d"]
    assert pool.release("b") == ("d",)


def test_a_stage_that_comes_later_waits_for_an_epoch_checkpoint_at_most():
    pool = pool_of(8, max_width=8)
    pool.claim("a")
    assert pool.claim("b") == ()
    # Two stages share 8: "a" keeps 4 after its epoch.
    assert pool.rechoose("a") == ("b",)
    assert widths(pool, "a", "b") == (4, 4)
    # A third: 8 // 3 = 2 each while it waits; what is left over goes to the first that can take more.
    assert pool.claim("c") == ()
    assert pool.rechoose("a") == ("c",)
    assert widths(pool, "a", "b", "c") == (2, 4, 2)
    assert pool.rechoose("b") == ()
    assert widths(pool, "a", "b", "c") == (2, 3, 2)
    assert pool.rechoose("a") == ()
    assert widths(pool, "a", "b", "c") == (3, 3, 2)


def test_a_stage_gets_no_more_than_is_of_use():
    pool = pool_of(4, max_width=4)
    pool.claim("a", limit=1)
    pool.claim("b")
    pool.rechoose("a")
    assert widths(pool, "a", "b") == (1, 2)
    pool.rechoose("b")
    assert widths(pool, "a", "b") == (1, 2)


def test_idle_accelerators_are_taken_at_the_next_checkpoint():
    pool = pool_of(4, max_width=4)
    pool.claim("a")
    pool.claim("b")
    pool.rechoose("a")
    pool.release("a")
    assert widths(pool, "b") == (2,)
    pool.rechoose("b")
    assert widths(pool, "b") == (4,)


def test_stages_trained_ahead_give_way_to_those_that_are_waited_for():
    pool = pool_of(2, max_width=2)
    pool.claim("ahead", ahead=True)
    pool.claim("a")
    pool.claim("b")
    assert widths(pool, "ahead", "a", "b") == (2, 0, 0)
    assert pool.rechoose("ahead") == ("a", "b")
    assert widths(pool, "ahead", "a", "b") == (0, 1, 1)
    assert pool.release("a") == ("ahead",)


def test_a_stage_ahead_that_is_needed_comes_in_its_turn():
    pool = pool_of(1)
    pool.claim("a")
    pool.claim("ahead", ahead=True)
    pool.claim("b")
    assert pool.waiting == ["b", "ahead"]
    pool.need("ahead")
    assert pool.waiting == ["ahead", "b"]


def test_a_stage_prefers_one_machine():
    pool = AcceleratorPool(machines(big=4, small=2), max_width=2)
    pool.claim("a")
    assert {each.machine for each in pool.held("a")} == {"small"}
    pool.claim("b")
    assert {each.machine for each in pool.held("b")} == {"big"}
    # One of "c" on the machine that has two left.
    pool.claim("c")
    assert {each.machine for each in pool.held("c")} == {"big"}


def test_what_is_given_back_is_on_the_machine_with_fewest():
    pool = AcceleratorPool(machines(big=3, small=1), max_width=4)
    pool.claim("a")
    pool.claim("b")
    pool.rechoose("a")
    assert {each.machine for each in pool.held("a")} == {"big"}


def test_a_machine_that_joins_serves_what_waits():
    pool = pool_of(1)
    pool.claim("a")
    pool.claim("b")
    assert pool.add(machines(new=1)) == ("b",)
    assert pool.capacity == 2


def test_a_machine_that_left_is_given_up_at_the_checkpoint():
    pool = AcceleratorPool(machines(gone=1, left=1), max_width=2)
    pool.claim("a")
    pool.remove(machines(gone=1))
    pool.rechoose("a")
    assert pool.held("a") == tuple(machines(left=1))
    assert (pool.capacity, pool.num_idle) == (1, 0)
    pool.remove(machines(left=1))
    pool.rechoose("a")
    assert pool.held("a") == ()
    assert pool.add(machines(new=2)) == ("a",)


def test_a_machine_that_is_back_before_the_checkpoint_stays_with_its_stage():
    pool = AcceleratorPool(machines(m=1, n=1), max_width=2)
    pool.claim("a")
    pool.remove(machines(n=1))
    pool.add(machines(n=1))
    assert (pool.capacity, pool.num_idle) == (2, 0)
    pool.rechoose("a")
    assert pool.held("a") == tuple(machines(m=1, n=1))


def test_every_stage_has_the_smallest_width_or_none():
    pool = pool_of(10, min_width=4)
    assert [pool.claim(name) for name in "abc"] == [("a",), ("b",), ()]
    assert widths(pool, *"abc") == (4, 4, 0)
    assert pool.num_idle == 2


EVENTS = ["claim", "ahead", "need", "release", "rechoose", "add", "remove"]


class Driven:
    """A pool, the stages in it and the accelerators that it should have."""

    def __init__(self, size, **options):
        self.pool, self.stages, self.known = pool_of(size, **options), [], set(machines(m=size))

    def happen(self, event, choice, name):
        """Let an event happen; return the stages that may train, and the one that it is about."""
        stage = self.stages[choice % len(self.stages)] if self.stages else None
        if event in ("claim", "ahead"):
            self.stages.append(name)
            return self.pool.claim(name, ahead=event == "ahead"), None
        if event == "add":
            self.known |= set(machines(n=choice))
            return self.pool.add(machines(n=choice)), None
        if event == "remove":
            self.known -= set(machines(n=choice))
            self.pool.remove(machines(n=choice))
        if event == "remove" or stage is None:
            return (), None
        if event == "release":
            self.stages.remove(stage)
        return getattr(self.pool, event)(stage), stage

    def held(self):
        return {stage: self.pool.held(stage) for stage in self.stages}


@given(
    events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=60),
    size=st.integers(1, 9),
    max_width=st.integers(1, 8),
    min_width=st.integers(1, 3),
)
def test_after_any_events(events, size, max_width, min_width):
    driven = Driven(size, max_width=max_width, min_width=min_width)
    pool = driven.pool
    for name, (event, choice) in enumerate(events):
        before = driven.held()
        served, subject = driven.happen(event, choice, name)
        held = [each for stage in driven.stages for each in pool.held(stage)]
        # None is held twice, and none is lost; those of a machine that left may be held until a checkpoint.
        assert len(held) == len(set(held))
        assert len(driven.known & set(held)) + pool.num_idle == pool.capacity == len(driven.known)
        assert all(len(pool.held(stage)) <= max(max_width, min_width) for stage in driven.stages)
        # Exactly those are returned that had none and have some now.
        began = {stage for stage in driven.stages if pool.held(stage) and not before.get(stage)}
        assert set(served) - {subject} == began - {subject}
        if event == "rechoose" and subject is not None:
            assert len(pool.held(subject)) not in range(1, min_width)
        # No stage waits for what is idle.
        assert event == "remove" or not pool.waiting or pool.num_idle < min_width


@given(size=st.integers(1, 12), num=st.integers(1, 12), max_width=st.integers(1, 8))
def test_after_a_checkpoint_of_each_stage_all_that_can_train_do(size, num, max_width):
    pool = pool_of(size, max_width=max_width)
    for stage in range(num):
        pool.claim(stage)
    for _ in range(2):
        for stage in range(num):
            if pool.held(stage):
                pool.rechoose(stage)
    assert len([stage for stage in range(num) if pool.held(stage)]) == min(num, size)
    # What is idle could not be used.
    assert pool.num_idle == 0 or all(width == max_width for width in widths(pool, *range(num)))


def test_an_unknown_stage_is_a_fault_of_the_caller():
    with pytest.raises(KeyError, match="never"):
        pool_of(1).release("never")
