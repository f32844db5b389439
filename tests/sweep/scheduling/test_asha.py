"""ASHA: its rungs, and the top 1/eta that continues."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.config.search.loading import load_space
from autohier.sweep.scheduling.asha import build, rung_steps
from autohier.sweep.scheduling.rungs import RungReport, Rungs, open_rungs


def reports(step, values):
    return [RungReport(step, value, stage=(place,), trial=(place,)) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("overrides", "epochs", "steps"),
    [
        # 8 epochs of pass 2 and 3 a pass: rungs at 2 and 8; the next one, 32, is beyond 17.
        ([], (2,), [0, 1]),
        # eta 2: 2, 4, 8, then the first pass with 16 epochs, 8 + 3 * 3 = 17, which is the last.
        (["search.reduction_factor=2"], (2, 4), [0, 1, 2]),
        # With 8 epochs a pass: 16 after the first pass; 32 after the third, which is the last.
        (["search.reduction_factor=2", "pruning.epochs=8"], (2, 4), [0, 1, 2, 3]),
        (["search.max_passes=0", "initial=[]"], (2,), [0]),
        (["protocol.validation=folds"], (), [0]),
    ],
)
def test_rungs_are_at_budgets_that_grow_by_eta(overrides, epochs, steps):
    rungs = open_rungs(load_space("demo", overrides))
    assert rungs.epochs == epochs
    assert rung_steps(rungs) == steps


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.sampled_from([2, 3, 4]))
def test_the_top_share_continues_and_at_least_the_best(values, eta):
    scheduler = build(Rungs((2,), (2, 2 * eta, 2 * eta + 1), eta))
    for place, report in enumerate(reports(0, [value / 10 for value in values])):
        rank = sum(earlier > values[place] for earlier in values[:place])
        promoted = rank < max(1, math.floor((place + 1) / eta))
        assert (scheduler.decide(report) is None) == promoted


def test_no_trial_stops_between_its_rungs():
    scheduler = build(open_rungs(load_space("demo")))
    assert [scheduler.decide(report) for report in reports(2, [0.9, 0.1, 0.2])] == [None] * 3


def test_the_reason_names_rung_and_rank():
    scheduler = build(open_rungs(load_space("demo")))
    first, second = reports(1, [0.6, 0.5])
    assert scheduler.decide(first) is None
    assert scheduler.decide(second) == (
        "50.00% at rung 2 is below 60.00%, the best of 2 configs (1/4 continue)"
    )
