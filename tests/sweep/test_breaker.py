"""The breaker: so many failures of one class in a row are enough."""

import pytest

from autohier.sweep.breaker import Breaker, Halt


def told(breaker, *ends):
    """Tell a breaker of ends, numbered from 0: a class of failures each, None for a trial that completes."""
    for number, failure in enumerate(ends):
        if failure is None:
            breaker.trial_completed()
        else:
            breaker.trial_failed(number, failure, f"reason {number}")
    return breaker.halt


@pytest.mark.parametrize(
    ("ends", "numbers"),
    [
        (["bug", "bug"], None),
        (["bug", "bug", "bug"], (0, 1, 2)),
        (["bug", "bug", None, "bug"], None),
        (["bug", "bug", None, "bug", "bug", "bug"], (3, 4, 5)),
        (["bug", "bug", "bad data", "bug", "bug"], None),
        (["bug", "bug", "bad data", "bad data", "bad data"], (2, 3, 4)),
        ([None, None, None], None),
        ([None, "disk full"], (1,)),  # the next trial would meet it as well
    ],
)
def test_a_row_is_of_one_class_and_broken_by_a_trial_that_completes(ends, numbers):
    halt = told(Breaker(3), *ends)
    assert (halt and halt.numbers) == numbers


def test_it_says_the_class_and_the_last_reason():
    assert told(Breaker(2), "bug", "out of memory", "out of memory") == Halt(
        "out of memory", "reason 2", (1, 2)
    )


def test_one_failure_may_be_enough():
    assert told(Breaker(1), None, "bug") == Halt("bug", "reason 1", (1,))


def test_trials_that_were_running_join_the_row_where_they_fail_in_the_same_way():
    # Two were enough; of those still running one completes, one fails otherwise, one in the same way.
    halt = told(Breaker(2), "bug", "bug", None, "bad data", "bug")
    assert halt == Halt("bug", "reason 4", (0, 1, 4))
