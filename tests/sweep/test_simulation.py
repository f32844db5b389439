"""Simulated sweeps: epochs, seconds and stages counted by hand."""

from dataclasses import replace

import pytest

from autohier.settings.loading import load_space
from autohier.sweep.simulation import EpochCosts, simulate
from autohier.sweep.standin import StandIn
from plans import make_plan
from varied_spaces import varied_demo

# The demo: 24 epochs of pass 1, 8 of pass 2, 3 after a pruning pass; with halving a rung after 8 / 4 = 2.
COSTS = EpochCosts(pass_1_s=10, pass_2_s=5, pruning_s=2)
NOISELESS = StandIn(reference=(2, 4), num_validation_clips=10**12)


def known(*settings, passes=1):
    """The space's known settings: counts and scope of each; a single pruning pass cannot be stopped."""
    tables = [
        f"{{source='hand', superclasses={list(counts)}, weight_ratio=0.5, scope='{scope}', ratio=0.1, "
        f"passes={passes}}}"
        for counts, scope in settings
    ]
    return f"known=[{', '.join(tables)}]"


def plan_of(folder, *settings, overrides=(), passes=1, **changes):
    space = load_space("demo", [known(*settings, passes=passes), *overrides])
    return make_plan(folder, space=space, **{"trials": len(settings), "stopping": "none", **changes})


SHARED_PREFIX = (((2, 4), "by-layer"), ((2, 4), "altogether"))


def test_two_settings_that_share_a_prefix(tmp_path):
    told = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, COSTS, parallel=1)
    # Together: pass 1 and pass 2 once, a pruning pass each. Alone: all of it twice.
    assert (told.epochs, told.epochs_alone) == (24 + 8 + 3 + 3, 2 * (24 + 8 + 3))
    assert told.seconds == 240 + 40 + 6 + 6
    assert told.seconds_alone == 2 * (240 + 40 + 6)
    assert told.wall_s == told.seconds
    assert (told.num_stages, told.num_unfinished) == (4, 0)
    assert (told.num_trials, told.num_stopped) == (2, 0)


def test_a_stage_that_two_trials_need_at_once_is_computed_once(tmp_path):
    told = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, COSTS, parallel=2)
    assert told.epochs == 24 + 8 + 3 + 3
    # One waits for the other's pass 2; then both prune beside each other.
    assert told.wall_s == 240 + 40 + 6


def test_folds_of_a_shared_pass_1_run_beside_each_other(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "by-layer"), overrides=("protocol.validation=folds",))
    told = simulate(plan, NOISELESS, COSTS, parallel=3)
    assert told.epochs == 4 * (24 + 8 + 3)
    # Three folds and then the fourth; what comes behind is one trial's, fold after fold.
    assert told.wall_s == 2 * 240 + 4 * (40 + 6)


def test_settings_that_share_nothing_but_pass_1_run_beside_each_other(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "by-layer"), ((3, 5), "by-layer"))
    told = simulate(plan, NOISELESS, COSTS, parallel=2)
    assert told.epochs == 24 + 2 * (8 + 3)
    assert told.wall_s == 240 + 40 + 6


def test_a_finished_stage_is_measured_once(tmp_path):
    costs = replace(COSTS, closing_s=100)
    told = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, costs, parallel=1)
    assert told.seconds == told.wall_s == 240 + 40 + 6 + 6 + 4 * 100
    assert told.seconds_alone == 2 * (240 + 40 + 6 + 3 * 100)


def test_a_weak_trial_is_stopped_and_its_epochs_are_found(tmp_path):
    # The second setting is worse, and so below the first at the rung; the third shares its pass 2 and is
    # stopped at the same rung without training an epoch.
    settings = (((2, 4), "by-layer"), ((3, 6), "by-layer"), ((3, 6), "altogether"))
    told = simulate(plan_of(tmp_path, *settings, stopping="halving"), NOISELESS, COSTS, parallel=1)
    assert (told.num_trials, told.num_stopped) == (3, 2)
    assert (told.num_stages, told.num_unfinished) == (3, 1)
    assert told.epochs == 24 + 8 + 3 + 2
    assert told.seconds == told.wall_s == 240 + 40 + 6 + 2 * 5
    assert told.epochs_alone == 3 * (24 + 8 + 3)


@pytest.mark.parametrize(
    ("scope", "kept", "num_readings"),
    # HAC's first pass gains 0.07 points altogether and loses 0.08 by layer; pass 1, pass 2 and a pruned
    # winner are read, each as it is and refit.
    [("altogether", 1, 6), ("by-layer", 0, 4)],
)
def test_the_winner_is_refit_and_read(tmp_path, scope, kept, num_readings):
    costs = replace(COSTS, closing_s=100, reading_s=1000)
    told = simulate(plan_of(tmp_path, ((2, 4), scope)), NOISELESS, costs, parallel=1)
    assert told.winner_stages == 2 + kept
    assert told.winner_epochs == 24 + 8 + 3 * kept
    assert told.winner_s == 240 + 40 + 6 * kept + (2 + kept) * 100 + num_readings * 1000
    assert told.best == pytest.approx(0.9545 + 0.0007 * kept)


def test_with_the_paper_s_validation_nothing_is_refit(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "altogether"), overrides=["protocol.validation=paper"])
    told = simulate(plan, NOISELESS, replace(COSTS, reading_s=1000), parallel=1)
    assert (told.winner_stages, told.winner_epochs, told.winner_s) == (0, 0, 3 * 1000)


def test_the_stop_rule_ends_a_chain(tmp_path):
    # By layer at 10%: -0.08, then 0.05, 0.19, -0.31, -0.06: two below the best end it after five passes.
    overrides = ["search.max_passes=7"]
    plan = plan_of(tmp_path, ((2, 4), "by-layer"), overrides=overrides, passes=7)
    told = simulate(plan, NOISELESS, COSTS, parallel=1)
    assert told.epochs == told.epochs_alone == 24 + 8 + 5 * 3
    assert told.winner_epochs == 24 + 8 + 3 * 3


NOISY = StandIn(reference=(2, 4), num_validation_clips=72, pass_1=0.75)


@pytest.mark.parametrize("stopping", ["none", "halving"])
def test_one_accelerator_is_always_at_work(tmp_path, stopping):
    plan = make_plan(tmp_path, trials=16, stopping=stopping, sampler="random")
    told = simulate(plan, NOISY, COSTS, parallel=1)
    assert told.wall_s == pytest.approx(told.seconds)
    assert told.epochs < told.epochs_alone


def test_several_accelerators_are_quicker_and_never_busier_than_they_can_be(tmp_path):
    plan = make_plan(tmp_path, trials=16, sampler="random")
    one, four = (simulate(plan, NOISY, COSTS, parallel=parallel) for parallel in (1, 4))
    assert four.wall_s < one.wall_s
    # Pass 1 runs alone, before the trials.
    assert four.seconds <= 240 + 4 * (four.wall_s - 240)


def test_a_seed_gives_the_same_numbers_again_and_another_gives_others(tmp_path):
    def told(seed):
        return simulate(make_plan(tmp_path, trials=14, seed=seed), NOISY, COSTS, parallel=3)

    first, again, other = told(0), told(0), told(1)
    assert first == again
    assert first != other
    assert len(first.asks_s) >= 14


VARIANTS = ("search.variants.a={}", "search.variants.b.pass_1.epochs=12")


def varied(folder, *variants, overrides=(), **changes):
    """A setting of each of these variants, with one pruning pass."""
    values = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='by-layer', ratio=0.1, passes=1"
    tables = ", ".join(f"{{{values}, {variant}}}" for variant in variants)
    space = load_space("demo", [*VARIANTS, *overrides, f"known=[{tables}]"])
    return make_plan(folder, space=space, trials=len(variants), **{"stopping": "none", **changes})


def test_every_variant_has_its_own_epochs_and_its_own_price(tmp_path):
    costs = {"a": COSTS, "b": EpochCosts(pass_1_s=100, pass_2_s=50, pruning_s=20, closing_s=1000)}
    plan = varied(tmp_path, "variant='a'", "variant='b'")
    told = simulate(plan, NOISELESS, costs, parallel=2)
    assert told.epochs == told.epochs_alone == (24 + 8 + 3) + (12 + 8 + 3)
    assert told.seconds == told.seconds_alone == (240 + 40 + 6) + (1200 + 400 + 60) + 3 * 1000
    # They run side by side from the first epoch on: no pass 1 is for all.
    assert told.wall_s == 1200 + 400 + 60 + 3 * 1000
    assert told.num_stages == 6


def test_trials_of_one_variant_share_its_stages(tmp_path):
    # The third differs from the second in how it prunes alone.
    norms = "search.settings.pruning.norm=['l2', 'layer-mean']"
    settings = ("variant='a'", "variant='b'", "variant='b', settings={pruning.norm='layer-mean'}")
    told = simulate(varied(tmp_path, *settings, overrides=[norms]), NOISELESS, COSTS, parallel=3)
    assert told.epochs == (24 + 8 + 3) + (12 + 8 + 3) + 3
    assert told.wall_s == max(240 + 40 + 6, 120 + 40 + 6)


def test_the_winner_is_refit_at_the_price_of_its_variant(tmp_path):
    # Of equals the first; alone it is the one that wins.
    costs = {"a": COSTS, "b": EpochCosts(pass_1_s=100, pass_2_s=50, pruning_s=20, reading_s=1000)}
    told = simulate(varied(tmp_path, "variant='b'"), NOISELESS, costs, parallel=1)
    # By layer the first pass loses, so that nothing pruned is kept: two networks, read as they are and refit.
    assert told.winner_epochs == 12 + 8
    assert told.winner_s == 1200 + 400 + 4 * 1000


def test_a_setting_of_pass_2_leaves_pass_1_for_all(tmp_path):
    space = load_space("demo", ["search.settings.pass_2.epochs=[4, 8]"])
    told = simulate(make_plan(tmp_path, space=space, trials=6), NOISELESS, COSTS, parallel=6)
    assert told.wall_s >= 240 + 4 * 5
    assert told.seconds <= 240 + 6 * (told.wall_s - 240)


@pytest.mark.parametrize("stopping", ["none", "halving"])
def test_a_whole_sweep_of_variants_and_settings(tmp_path, stopping):
    plan = make_plan(tmp_path, space=varied_demo(), trials=16, stopping=stopping)
    told = simulate(plan, NOISY, COSTS, parallel=3)
    assert told.num_trials == 16
    assert told.epochs < told.epochs_alone
    assert told == simulate(plan, NOISY, COSTS, parallel=3)
