"""Successive halving: the share that continues at each rung, and ties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.scheduling.rungs import RungReport, Rungs, open_rungs
from autohier.sweep.scheduling.successive_halving import SuccessiveHalving, shares_by_cost

RUNGS = Rungs(epochs=(2,), budgets=(2, 8, 11, 14), reduction_factor=4)
SHARES = (0.25, 0.5, 0.75, 1.0)


def params(weight_ratio=0.5, ratio=0.1, passes=2, scope="layerwise"):
    return Hyperparameters(
        superclasses=(2, 4), weight_ratio=weight_ratio, scope=scope, ratio=ratio, passes=passes
    )


def decide(scheduler, config, step, value):
    return scheduler.decide(RUNGS.report(config, step, value))


def test_shares_of_the_demo_follow_its_epochs():
    # Pass 2 has 8 epochs: a rung at 8 / 4 = 2, none at 8 / 16. Each pruning pass adds 3 epochs: one in four
    # continues from 2 epochs to 8, eight in eleven from 8 to 11, and so on.
    rungs = open_rungs(load_space("demo"))
    assert (rungs.epochs, rungs.budgets) == ((2,), (2, 8, 11, 14, 17))
    assert shares_by_cost(rungs) == pytest.approx((2 / 8, 8 / 11, 3 / 6, 6 / 9, 1.0))


def test_the_epochs_of_pass_2_limit_the_number_of_rungs():
    space = load_space("demo", ["pass_2.epochs=64", "search.reduction_factor=2", "pruning.epochs=64"])
    rungs = open_rungs(space)
    assert rungs.epochs == (2, 4, 8, 16, 32)
    assert shares_by_cost(rungs) == pytest.approx((*[1 / 2] * 5, 64 / 128, 64 / 128, 128 / 192, 1.0))


def test_cross_validation_has_no_rungs_within_pass_2():
    rungs = open_rungs(load_space("demo", ["protocol.validation=folds"]))
    assert rungs.epochs == ()
    assert shares_by_cost(rungs) == pytest.approx((8 / 11, 3 / 6, 6 / 9, 1.0))


def test_rungs_within_pass_2_can_be_left_out():
    rungs = open_rungs(load_space("demo"), within_pass_2=False)
    assert (rungs.epochs, rungs.budgets) == ((), (8, 11, 14, 17))


def test_without_pruning_pass_2_is_the_last_step():
    space = load_space("demo", ["search.max_passes=0", "initial=[]"])
    assert shares_by_cost(open_rungs(space)) == (2 / 8, 1.0)
    assert shares_by_cost(open_rungs(space, within_pass_2=False)) == (1.0,)


def test_one_in_four_continues_within_pass_2():
    scheduler = SuccessiveHalving(SHARES)
    ratios = load_space("demo").search.weight_ratios
    values = [0.5, 0.4, 0.6, 0.55, 0.45, 0.58]
    reasons = [
        decide(scheduler, params(ratio), 0, value) for ratio, value in zip(ratios, values, strict=False)
    ]
    # The best one of 1 to 4 configs continues, the best two of 5 and 6 (a quarter of them, rounded up).
    assert [reason is None for reason in reasons] == [True, False, True, False, False, True]
    assert reasons[1] == "40.00% at rung 1 is below 50.00%, the best of 2 configs (25% continue)"
    assert (
        reasons[4] == "45.00% at rung 1 is below 55.00%, the last of the best 2 of 5 configs (25% continue)"
    )


def test_a_value_that_equals_the_last_promoted_one_goes_on():
    scheduler = SuccessiveHalving(SHARES)
    reasons = [decide(scheduler, params(ratio), 0, 1.0) for ratio in (0.5, 1.0, 1.5, 2.0, 2.5)]
    assert reasons == [None] * 5
    # Two thirds of three are two, of which the last has 90%: the third equals it, a sum of folds nearly.
    scheduler = SuccessiveHalving((0.67, 1.0))
    reasons = [
        scheduler.decide(RungReport(0, value, (place,), (place,)))
        for place, value in enumerate((1.0, 0.9, 0.9 - 1e-12, 0.8))
    ]
    assert reasons == [
        None,
        None,
        None,
        "80.00% at rung 1 is below 90.00%, the last of the best 3 of 4 configs (67% continue)",
    ]


def test_trials_that_share_a_stage_count_once():
    scheduler = SuccessiveHalving(SHARES)
    decide(scheduler, params(0.5), 0, 0.6)
    for ratio in (0.05, 0.15, 0.2, 0.3):  # with the same superclasses and weights
        assert decide(scheduler, params(0.5, ratio), 0, 0.6) is None
    # Two stages have reached the rung, not six: a quarter of them is the better one.
    assert "of 2 configs" in (decide(scheduler, params(1.0), 0, 0.55) or "")
    # A pruning pass is shared by configs with the same scope and ratio as well.
    assert decide(scheduler, params(0.5, 0.05), 2, 0.6) is None
    assert decide(scheduler, params(0.5, 0.15), 2, 0.5) is None
    assert decide(scheduler, params(0.5, 0.2), 2, 0.4) is None
    assert "of 4 configs" in (decide(scheduler, params(0.5, 0.3), 2, 0.3) or "")


def test_a_trial_that_runs_again_counts_once():
    scheduler = SuccessiveHalving(SHARES)
    decide(scheduler, params(0.5), 0, 0.6)
    assert [decide(scheduler, params(1.0), 0, 0.5) for _ in range(3)] == [
        "50.00% at rung 1 is below 60.00%, the best of 2 configs (25% continue)"
    ] * 3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.sampled_from([0.25, 0.5, 1.0]))
def test_the_rank_among_earlier_values_decides(values, share):
    scheduler = SuccessiveHalving((share, 1.0))
    for place, value in enumerate(values):
        reason = decide(scheduler, params(1.0 + place), 0, value / 10)
        rank = sum(earlier > value for earlier in values[:place])
        # Twelve digits absorb the rounding of share * n.
        num_kept = max(1, -int(-round(share * (place + 1), 12) // 1))
        assert (reason is None) == (rank < num_kept)
