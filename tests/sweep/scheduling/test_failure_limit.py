"""The failure limit: consecutive failures of one class stop a sweep."""

import pytest

from autohier.sweep.scheduling.failure_limit import FailureLimit, FailureStreak


def after(failure_limit, *ends):
    """Report the ends of trials 0, 1, ...: a failure class each, or None for a completed trial."""
    for number, failure in enumerate(ends):
        if failure is None:
            failure_limit.trial_completed()
        else:
            failure_limit.trial_failed(number, failure, f"reason {number}")
    return failure_limit.exceeded


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
        (["disk error", "lost process", "disk error"], (0, 1, 2)),  # one broken machine
        (["disk error", "bug", "disk error"], None),
        (["lost process", "disk full"], (0, 1)),
        ([None, "disk full"], (1,)),  # every later trial would meet a full disk
    ],
)
def test_a_streak_is_of_one_class_and_ends_with_a_completed_trial(ends, numbers):
    streak = after(FailureLimit(3), *ends)
    assert (streak and streak.numbers) == numbers


def test_the_streak_holds_the_class_and_the_last_reason():
    assert after(FailureLimit(2), "bug", "out of memory", "out of memory") == FailureStreak(
        "out of memory", "reason 2", (1, 2)
    )


def test_a_limit_of_one_stops_at_the_first_failure():
    assert after(FailureLimit(1), None, "bug") == FailureStreak("bug", "reason 1", (1,))


def test_trials_that_still_run_join_the_streak_if_they_fail_in_the_same_class():
    # Two failures reach the limit; of the running trials one completes, one fails otherwise, one as before.
    streak = after(FailureLimit(2), "bug", "bug", None, "bad data", "bug")
    assert streak == FailureStreak("bug", "reason 4", (0, 1, 4))


def test_the_failure_that_stopped_the_sweep_is_the_reported_one():
    streak = after(FailureLimit(5), "disk full", "lost process", "disk full")
    assert streak == FailureStreak("disk full", "reason 2", (0, 1, 2))
    assert after(FailureLimit(5), "disk full", "lost process").reason == "reason 0"
