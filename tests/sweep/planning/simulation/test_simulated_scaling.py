"""Simulated sweeps whose stages train on several accelerators: times counted by hand."""

from dataclasses import replace

import pytest

from autohier.config.scaling import Scaling
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from support.sweep_runs.plans import make_plan
from sweep.planning.simulation.test_simulator import NOISELESS, NOISY, plan_of

# The demo: 24 epochs of pass 1, 8 of pass 2, 3 after a pruning pass.
COSTS = EpochCosts(pass_1_s=16, pass_2_s=8, pruning_s=4)
LINEAR = Scaling(4, 1.0)
SHARED_PREFIX = (((2, 4), "layerwise"), ((2, 4), "global"))


def test_pass_1_takes_all_that_pays_and_the_refit_s_what_is_idle(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "global"))
    simulated = simulate(plan, NOISELESS, COSTS, parallel=8, scaling=LINEAR)
    # Both pass 1 on 4 of the 8; pass 2 and a pruning pass on 4.
    assert simulated.wall_s == 24 * 4 + 8 * 2 + 3 * 1
    # The refit has its pass 1 already.
    assert simulated.winner_wall_s == 8 * 2 + 3 * 1
    assert simulated.winner_s == 24 * 16 + 8 * 8 + 3 * 4
    assert simulated.seconds == 24 * 16 + 8 * 8 + 3 * 4


def test_a_trial_that_waits_lends_its_accelerator(tmp_path):
    plan = plan_of(tmp_path, *SHARED_PREFIX, overrides=["protocol.validation=paper"])
    simulated = simulate(plan, NOISELESS, COSTS, parallel=2, scaling=Scaling(2, 1.0))
    # Pass 1 and the shared pass 2 on both. The trial that prunes first has both for an epoch, 2 s, then one
    # for two, 8 s. The other has one from there on, and ends 3 * 4 s later: for 4 s, one is idle.
    assert simulated.wall_s == 24 * 8 + 8 * 4 + 2 + 3 * 4
    assert simulated.seconds == 2 * simulated.wall_s - 4
    assert simulated.winner_s == 0


def test_efficiency_is_paid_in_accelerator_seconds(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "global"), overrides=["protocol.validation=paper"])
    simulated = simulate(plan, NOISELESS, COSTS, parallel=4, scaling=Scaling(4, 0.5))
    # A speed-up of 2 on 4: half the time, twice the accelerators' seconds.
    alone = 24 * 16 + 8 * 8 + 3 * 4
    assert simulated.wall_s == pytest.approx(alone / 2)
    assert simulated.seconds == pytest.approx(2 * alone)


def test_a_budget_counts_the_time_of_stages_on_any_number_of_accelerators(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "global"), overrides=["protocol.validation=paper"])
    (held,) = simulate(plan, NOISELESS, COSTS, parallel=1).trials
    (lent,) = simulate(plan, NOISELESS, COSTS, parallel=4, scaling=Scaling(4, 0.5)).trials
    # On 4 accelerators, which train twice as fast, half the hours are used up.
    assert held.effort["seconds_computed"] > 0
    assert lent.effort["seconds_computed"] == pytest.approx(held.effort["seconds_computed"] / 2)


def test_folds_of_pass_1_train_side_by_side(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "layerwise"), overrides=["protocol.validation=folds"])
    simulated = simulate(
        plan, NOISELESS, replace(COSTS, pass_2_s=0, pruning_s=0), parallel=16, scaling=LINEAR
    )
    # Four folds on 16 in shares: with the refit's pass 1 there are five stages, and none waits.
    assert 24 * 4 <= simulated.wall_s <= 24 * 8


def test_the_refit_waits_for_its_pass_1(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "global"))
    simulated = simulate(plan, NOISELESS, COSTS, parallel=1, scaling=LINEAR)
    alone = 24 * 16 + 8 * 8 + 3 * 4
    # On one accelerator there is nothing idle to use: each of the two chains takes its whole time.
    assert simulated.wall_s + simulated.winner_wall_s == 2 * alone


@pytest.mark.parametrize("parallel", [1, 3, 8])
def test_width_1_computes_what_trials_that_hold_accelerators_compute(tmp_path, parallel):
    plan = make_plan(tmp_path, trials=12, seed=3)
    simulated = simulate(plan, NOISY, COSTS, parallel=parallel, scaling=Scaling(1, 1.0))
    # Accelerators are at work at most all the time, and the work is that of the epochs.
    total_s = simulated.seconds + simulated.winner_s
    assert total_s <= parallel * (simulated.wall_s + simulated.winner_wall_s)
    assert simulated.num_trials == 12
    held = simulate(plan, NOISY, COSTS, parallel=parallel)
    if parallel == 1:
        assert (simulated.seconds, simulated.epochs) == (held.seconds, held.epochs)
    else:
        # Trials that wait lend their accelerators, and the refit begins early.
        assert simulated.wall_s + simulated.winner_wall_s < held.wall_s + held.winner_wall_s


def test_equal_seeds_give_equal_sweeps(tmp_path):
    plan = make_plan(tmp_path, trials=12)
    first, second = (simulate(plan, NOISY, COSTS, parallel=3, scaling=LINEAR) for _ in range(2))
    assert first == second
