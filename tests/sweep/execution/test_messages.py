"""Tests of the messages between a sweep's actors and its driver."""

from __future__ import annotations

import json
import math

import pytest

from autohier.sweep.execution.messages import (
    EpochEnd,
    Message,
    StageEnd,
    StageReused,
    StageWait,
    TrialComplete,
    TrialFacts,
    TrialFailed,
    TrialStopped,
    from_dict,
    from_report,
    to_dict,
    to_report,
)

FACTS = TrialFacts(
    kept_pass=1, parameters=10, multiply_adds=20, stages=("a", "b"), epochs_reused=3, epochs_computed=4
)
MESSAGES: tuple[Message, ...] = (
    EpochEnd("pass 2 of fold 1", 3, 0.1 + 0.2, reused=True),
    StageEnd("pass 2", 0.5),
    StageReused("pass 1", 24, 0.25),
    StageWait("pass 2", "t0001 of another sweep"),
    TrialComplete((0.5, 0.75), ((0, 0.25), (2, 0.75)), FACTS),
    TrialStopped((0.5,), ((0, 0.5),), "50.00% at rung 1"),
    TrialFailed('a "reason"', "out of memory", "Traceback\n"),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_report(message: Message) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(message)))) == message
    assert from_report(to_report([message])) == (message,)


def test_a_report_keeps_the_order_of_its_messages() -> None:
    assert from_report(to_report(MESSAGES)) == MESSAGES


def test_a_report_holds_one_text_and_ends_the_trial_with_its_end() -> None:
    assert set(to_report(MESSAGES[:4])) == {"messages"}
    for end in MESSAGES[4:]:
        assert to_report([*MESSAGES[:4], end])["done"] is True


def test_an_accuracy_may_be_no_number() -> None:
    (message,) = from_report(to_report([EpochEnd("pass 1", 1, math.nan, reused=False)]))
    assert isinstance(message, EpochEnd)
    assert math.isnan(message.accuracy)


@pytest.mark.parametrize("report", [None, {}, {"training_iteration": 1}])
def test_a_trial_without_a_report_has_no_messages(report: dict[str, int] | None) -> None:
    assert from_report(report) == ()


def test_an_unknown_message_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"a message must name one of the types EpochEnd, StageEnd, .*, but got"
    ):
        from_dict({"type": "Unknown"})
    with pytest.raises(ValueError, match="a StageEnd must have its fields, but got"):
        from_dict({"type": "StageEnd", "stage": "pass 1"})
