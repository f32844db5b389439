"""Successive halving: who goes on at a rung, and that a trial ends where it is not one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.core.pruning import StopRule
from autohier.settings.choice import Choice
from autohier.settings.loading import load_space
from autohier.sweep.halving import Halving, Ladder, open_ladder
from autohier.sweep.rungs import Climb, TrialStoppedError
from fake_outcomes import fake_epoch, fake_outcome, replay

LADDER = Ladder(epochs=(2,), shares=(0.25, 0.5, 0.75, 1.0))


def choice(weight_ratio=0.5, ratio=0.1, passes=2, scope="by-layer"):
    return Choice(superclasses=(2, 4), weight_ratio=weight_ratio, scope=scope, ratio=ratio, passes=passes)


def test_the_ladder_of_the_demo():
    # Pass 2 has 8 epochs: a rung at 8 / 4 = 2, none at 8 / 16. Each pruning pass adds 3 epochs, so that
    # from 2 epochs one in four goes on to 8, from 8 to 11 eight in eleven, and so on.
    ladder = open_ladder(load_space("demo"), stopping=True)
    assert ladder.epochs == (2,)
    assert ladder.shares == pytest.approx((2 / 8, 8 / 11, 3 / 6, 6 / 9, 1.0))


def test_rungs_within_pass_2_are_as_many_as_its_epochs_allow():
    space = load_space("demo", ["pass_2.epochs=64", "search.reduction_factor=2", "pruning.epochs=64"])
    ladder = open_ladder(space, stopping=True)
    assert ladder.epochs == (2, 4, 8, 16, 32)
    assert ladder.shares == pytest.approx((*[1 / 2] * 5, 64 / 128, 64 / 128, 128 / 192, 1.0))


def test_with_folds_nobody_is_judged_by_one_of_them():
    space = load_space("demo", ["protocol.validation=folds"])
    ladder = open_ladder(space, stopping=True)
    assert (ladder.epochs, ladder.shares) == ((), pytest.approx((8 / 11, 3 / 6, 6 / 9, 1.0)))


def test_without_stopping_everybody_goes_on():
    ladder = open_ladder(load_space("demo"), stopping=False)
    assert (ladder.epochs, set(ladder.shares)) == ((), {1.0})


def test_one_in_four_goes_on_within_pass_2():
    halving = Halving(LADDER, {})
    ratios = load_space("demo").search.weight_ratios
    values = [0.5, 0.4, 0.6, 0.55, 0.45, 0.58]
    verdicts = [halving.judge(choice(ratio), 0, value) for ratio, value in zip(ratios, values, strict=False)]
    # Of 1 to 4 settings one goes on, the best; of 5 and 6 the best two (a quarter of them, rounded up).
    assert [verdict is None for verdict in verdicts] == [True, False, True, False, False, True]
    assert verdicts[1] == "40.00% at rung 1 is not among the best 25% of 2 settings"


def test_of_equals_the_earlier_go_on():
    halving = Halving(LADDER, {})
    verdicts = [halving.judge(choice(weight_ratio), 0, 0.5) for weight_ratio in (0.5, 1.0, 1.5, 2.0, 2.5)]
    assert [verdict is None for verdict in verdicts] == [True, False, False, False, False]
    # One of the first stays the first when it comes again.
    assert halving.judge(choice(0.5, ratio=0.2), 0, 0.5) is None


def test_a_stage_that_several_settings_share_counts_once():
    halving = Halving(LADDER, {})
    halving.judge(choice(0.5), 0, 0.6)
    for ratio in (0.05, 0.15, 0.2, 0.3):  # of the same superclasses and weights
        assert halving.judge(choice(0.5, ratio), 0, 0.6) is None
    # Two settings have reached the rung, not six: a quarter of them is the better one.
    assert "of 2 settings" in (halving.judge(choice(1.0), 0, 0.55) or "")
    # A pruning pass is shared by settings that agree on scope and ratio too.
    assert halving.judge(choice(0.5, 0.05), 2, 0.6) is None
    assert halving.judge(choice(0.5, 0.15), 2, 0.5) is None
    assert halving.judge(choice(0.5, 0.2), 2, 0.4) is None
    assert "of 4 settings" in (halving.judge(choice(0.5, 0.3), 2, 0.3) or "")


def test_a_trial_that_runs_again_is_not_counted_twice():
    halving = Halving(LADDER, {})
    halving.judge(choice(0.5), 0, 0.6)
    assert [halving.judge(choice(1.0), 0, 0.5) for _ in range(3)] == [
        "50.00% at rung 1 is not among the best 25% of 2 settings"
    ] * 3


def test_what_earlier_drivers_saw_counts():
    reached = {(0, LADDER.arm(choice(0.5), 0)): 0.6}
    assert Halving(LADDER, reached).judge(choice(1.0), 0, 0.5) is not None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.25, 0.5, 1.0]))
def test_the_best_so_far_always_goes_on(values, share):
    halving = Halving(Ladder((2,), (share, 1.0)), {})
    for place, value in enumerate(values):
        verdict = halving.judge(choice(1.0 + place), 0, value)
        if value > max(values[:place], default=-1.0) or share == 1.0:
            assert verdict is None


def test_a_climb_measures_pass_2_and_the_best_of_the_passes():
    asked = []
    climb = Climb(LADDER, choice(), StopRule(), lambda *told: asked.append(told))
    # 120 validation clips; pass 1, then pass 2 and two pruning passes.
    outcome = fake_outcome(60, (78, 72, 84))
    replay(outcome, climb)
    second_epoch = outcome.chain[0].epochs[1].accuracy
    assert climb.chain == [0.65, 0.6, 0.7]
    assert climb.reached == {0: second_epoch, 1: 0.65, 2: 0.65, 3: 0.7}
    assert [(step, value) for _, step, value in asked] == list(climb.reached.items())


def test_a_climb_ends_where_it_is_judged():
    climb = Climb(LADDER, choice(), StopRule(), lambda _, step, __: "too weak" if step == 2 else None)
    with pytest.raises(TrialStoppedError, match="too weak"):
        replay(fake_outcome(60, (78, 72, 84)), climb)
    assert climb.chain == [0.65, 0.6]


def test_after_the_last_pass_there_is_nothing_to_spare():
    climb = Climb(LADDER, choice(passes=1), StopRule(), lambda _, step, __: "too weak" if step == 2 else None)
    replay(fake_outcome(60, (78, 72)), climb)
    assert climb.reached[2] == 0.65


def test_where_the_stop_rule_ends_a_chain_there_is_nothing_to_spare():
    climb = Climb(LADDER, choice(passes=3), StopRule(), lambda _, step, __: "too weak" if step == 3 else None)
    # Passes 1 and 2 are below pass 2, which is what ends HAC's chains.
    replay(fake_outcome(60, (78, 72, 71)), climb)
    assert climb.reached[3] == 0.65
    rising = Climb(
        LADDER, choice(passes=3), StopRule(), lambda _, step, __: "too weak" if step == 3 else None
    )
    with pytest.raises(TrialStoppedError, match="too weak"):
        replay(fake_outcome(60, (78, 72, 79)), rising)


def test_epochs_between_rungs_are_not_judged():
    climb = Climb(LADDER, choice(), StopRule(), lambda *_: "too weak")
    climb.epoch_finished("pass-1", 0, fake_epoch(1, 60, 1), reused=False)
    climb.epoch_finished("pass-2", 0, fake_epoch(0, 60, 1), reused=False)
    climb.epoch_finished("prune", 1, fake_epoch(1, 60, 1), reused=False)
    with pytest.raises(TrialStoppedError, match="too weak"):
        climb.epoch_finished("pass-2", 0, fake_epoch(1, 60, 1), reused=False)


def test_where_nothing_is_pruned_pass_2_is_the_last_step():
    space = load_space("demo", ["search.max_passes=0", "known=[]"])
    assert open_ladder(space, stopping=True).shares == (2 / 8, 1.0)
    assert open_ladder(space, stopping=False).shares == (1.0,)


def test_a_setting_that_went_on_goes_on_when_it_runs_again():
    halving = Halving(LADDER, {})
    assert halving.judge(choice(0.5), 0, 0.5) is None
    for place, weight_ratio in enumerate((1.0, 1.5, 2.0)):
        assert halving.judge(choice(weight_ratio), 0, 0.6 + place / 100) is None
    assert halving.judge(choice(0.5), 0, 0.5) is None


def test_within_a_stage_that_is_found_nobody_is_stopped():
    told = []
    climb = Climb(LADDER, choice(), StopRule(), lambda *asked: told.append(asked) or "too weak")
    climb.stage_started("pass-2", 0, reused=True)
    climb.epoch_finished("pass-2", 0, fake_epoch(LADDER.epochs[0] - 1, 60, 1), reused=True)
    assert [step for _, step, _ in told] == [0]
    climb.stage_started("pass-2", 0, reused=False)
    with pytest.raises(TrialStoppedError, match="too weak"):
        climb.epoch_finished("pass-2", 0, fake_epoch(LADDER.epochs[0] - 1, 60, 1), reused=True)
