"""Simulated sweeps: epochs, seconds and stages counted by hand."""

from dataclasses import replace

import pytest

from autohier.config.search.loading import load_space
from autohier.sweep.planning.simulation.regimes import B
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld
from autohier.sweep.planning.simulation.world import World
from autohier.sweep.scheduling.early_stopping import TrialStoppedError
from support.fakes.long_recipe import register_long
from support.sweep_runs.plans import make_plan
from support.sweep_runs.varied_spaces import varied_demo

# The demo: 24 epochs of pass 1, 8 of pass 2, 3 after a pruning pass; with halving a rung after 8 / 4 = 2.
COSTS = EpochCosts(pass_1_s=10, pass_2_s=5, pruning_s=2)


CHAINS = {
    "global": (0.9545, 0.9552, 0.9561, 0.9560, 0.9566, 0.9541, 0.9547),
    "layerwise": (0.9545, 0.9537, 0.9550, 0.9564, 0.9514, 0.9539),
}


class Printed:
    """Surrogate without noise: the chains of Table 9, NTU60 cross-subject; counts 2/4 are the best."""

    def value(self, params, seed, pass_index):  # noqa: ARG002
        if pass_index is None:
            return 0.9529
        return CHAINS[params.scope][pass_index] - (params.superclasses != (2, 4)) * 0.0002

    def after_epoch(self, params, seed, pass_index, epoch, num_epochs):
        left = 1 - (epoch + 1) / num_epochs
        return self.value(params, seed, pass_index) * (1 - 0.35 * left**2)


NOISELESS = Printed()


def initial_override(*configs, passes=1):
    """Return an override with an initial config for each (counts, scope)."""
    tables = [
        f"{{source='hand', superclasses={list(counts)}, weight_ratio=0.5, scope='{scope}', ratio=0.1, "
        f"passes={passes}}}"
        for counts, scope in configs
    ]
    return f"initial=[{', '.join(tables)}]"


def plan_of(folder, *configs, overrides=(), passes=1, **changes):
    space = load_space("demo", [initial_override(*configs, passes=passes), *overrides])
    return make_plan(folder, space=space, **{"trials": len(configs), "scheduler": "none", **changes})


SHARED_PREFIX = (((2, 4), "layerwise"), ((2, 4), "global"))


def test_two_configs_share_a_prefix(tmp_path):
    simulated = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, COSTS, parallel=1)
    # Shared: pass 1 and pass 2 once, a pruning pass each. Alone: every stage twice.
    assert (simulated.epochs, simulated.epochs_alone) == (24 + 8 + 3 + 3, 2 * (24 + 8 + 3))
    assert simulated.seconds == 240 + 40 + 6 + 6
    assert simulated.seconds_alone == 2 * (240 + 40 + 6)
    assert simulated.wall_s == simulated.seconds
    assert (simulated.num_stages, simulated.num_unfinished) == (4, 0)
    assert (simulated.num_trials, simulated.num_stopped) == (2, 0)


def test_a_stage_that_two_trials_need_at_once_is_computed_once(tmp_path):
    simulated = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, COSTS, parallel=2)
    assert simulated.epochs == 24 + 8 + 3 + 3
    # One trial waits for the other's pass 2; then both prune at the same time.
    assert simulated.wall_s == 240 + 40 + 6


def test_folds_of_a_shared_pass_1_run_in_parallel(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "layerwise"), overrides=("protocol.validation=folds",))
    simulated = simulate(plan, NOISELESS, COSTS, parallel=3)
    assert simulated.epochs == 4 * (24 + 8 + 3)
    # Three folds of pass 1, then the fourth. The other stages belong to one trial and run in sequence.
    assert simulated.wall_s == 2 * 240 + 4 * (40 + 6)


def test_configs_that_share_only_pass_1_run_in_parallel(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "layerwise"), ((3, 5), "layerwise"))
    simulated = simulate(plan, NOISELESS, COSTS, parallel=2)
    assert simulated.epochs == 24 + 2 * (8 + 3)
    assert simulated.wall_s == 240 + 40 + 6


def test_a_finished_stage_is_measured_once(tmp_path):
    costs = replace(COSTS, closing_s=100)
    simulated = simulate(plan_of(tmp_path, *SHARED_PREFIX), NOISELESS, costs, parallel=1)
    assert simulated.seconds == simulated.wall_s == 240 + 40 + 6 + 6 + 4 * 100
    assert simulated.seconds_alone == 2 * (240 + 40 + 6 + 3 * 100)


def test_a_weak_trial_is_stopped_and_its_epochs_are_reused(tmp_path):
    # The second config is worse than the first at the rung. The third shares pass 2 with the second and is
    # stopped at the same rung without training an epoch.
    configs = (((2, 4), "layerwise"), ((3, 6), "layerwise"), ((3, 6), "global"))
    simulated = simulate(
        plan_of(tmp_path, *configs, scheduler="successive-halving"), NOISELESS, COSTS, parallel=1
    )
    assert (simulated.num_trials, simulated.num_stopped) == (3, 2)
    assert (simulated.num_stages, simulated.num_unfinished) == (3, 1)
    assert simulated.epochs == 24 + 8 + 3 + 2
    assert simulated.seconds == simulated.wall_s == 240 + 40 + 6 + 2 * 5
    assert simulated.epochs_alone == 3 * (24 + 8 + 3)


@pytest.mark.parametrize(
    ("scope", "kept", "num_evaluations"),
    # HAC's first pass gains 0.07 points with global pruning and loses 0.08 layerwise; pass 1, 2 and a pruned
    # winner are evaluated, each as trained and refit.
    [("global", 1, 6), ("layerwise", 0, 4)],
)
def test_the_winner_is_refit_and_evaluated(tmp_path, scope, kept, num_evaluations):
    costs = replace(COSTS, closing_s=100, reading_s=1000)
    simulated = simulate(plan_of(tmp_path, ((2, 4), scope)), NOISELESS, costs, parallel=1)
    assert simulated.winner_stages == 2 + kept
    assert simulated.winner_epochs == 24 + 8 + 3 * kept
    assert simulated.winner_s == 240 + 40 + 6 * kept + (2 + kept) * 100 + num_evaluations * 1000
    assert simulated.best == pytest.approx(0.9545 + 0.0007 * kept)


def test_with_the_paper_s_validation_nothing_is_refit(tmp_path):
    plan = plan_of(tmp_path, ((2, 4), "global"), overrides=["protocol.validation=paper"])
    simulated = simulate(plan, NOISELESS, replace(COSTS, reading_s=1000), parallel=1)
    assert (simulated.winner_stages, simulated.winner_epochs, simulated.winner_s) == (0, 0, 3 * 1000)


def test_the_stop_rule_ends_a_chain(tmp_path):
    # Layerwise at 10%: -0.08, 0.05, 0.19, -0.31, -0.06. Two passes below the best end the chain after five.
    overrides = ["search.max_passes=7"]
    plan = plan_of(tmp_path, ((2, 4), "layerwise"), overrides=overrides, passes=7)
    simulated = simulate(plan, NOISELESS, COSTS, parallel=1)
    assert simulated.epochs == simulated.epochs_alone == 24 + 8 + 5 * 3
    assert simulated.winner_epochs == 24 + 8 + 3 * 3


NOISY = NoisyWorld(World.draw(load_space("demo"), B, 0))


@pytest.mark.parametrize("scheduler", ["none", "successive-halving"])
def test_one_accelerator_is_always_busy(tmp_path, scheduler):
    plan = make_plan(tmp_path, trials=16, scheduler=scheduler, sampler="random")
    simulated = simulate(plan, NOISY, COSTS, parallel=1)
    assert simulated.wall_s == pytest.approx(simulated.seconds)
    assert simulated.epochs < simulated.epochs_alone


def test_several_accelerators_are_faster_and_at_most_fully_busy(tmp_path):
    plan = make_plan(tmp_path, trials=16, sampler="random")
    one, four = (simulate(plan, NOISY, COSTS, parallel=parallel) for parallel in (1, 4))
    assert four.wall_s < one.wall_s
    # Pass 1 runs alone, before the trials.
    assert four.seconds <= 240 + 4 * (four.wall_s - 240)


def test_results_depend_on_the_seed_alone(tmp_path):
    def simulate_seed(seed):
        return simulate(make_plan(tmp_path, trials=14, seed=seed), NOISY, COSTS, parallel=3)

    first, again, other = simulate_seed(0), simulate_seed(0), simulate_seed(1)
    assert first == again
    assert first != other
    assert len(first.asks_s) >= 14


VARIANTS = ("search.variants.a={}", "search.variants.b.pass_1.epochs=12")


def varied(folder, *variants, overrides=(), **changes):
    """Return a plan with one initial config per variant, each with one pruning pass."""
    values = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='layerwise', ratio=0.1, passes=1"
    tables = ", ".join(f"{{{values}, {variant}}}" for variant in variants)
    space = load_space("demo", [*VARIANTS, *overrides, f"initial=[{tables}]"])
    return make_plan(folder, space=space, trials=len(variants), **{"scheduler": "none", **changes})


def test_every_variant_has_its_own_epochs_and_costs(tmp_path):
    costs = {"a": COSTS, "b": EpochCosts(pass_1_s=100, pass_2_s=50, pruning_s=20, closing_s=1000)}
    plan = varied(tmp_path, "variant='a'", "variant='b'")
    simulated = simulate(plan, NOISELESS, costs, parallel=2)
    assert simulated.epochs == simulated.epochs_alone == (24 + 8 + 3) + (12 + 8 + 3)
    assert simulated.seconds == simulated.seconds_alone == (240 + 40 + 6) + (1200 + 400 + 60) + 3 * 1000
    # The trials run in parallel from the first epoch, because they share no pass 1.
    assert simulated.wall_s == 1200 + 400 + 60 + 3 * 1000
    assert simulated.num_stages == 6


def test_trials_of_one_variant_share_its_stages(tmp_path):
    # The third config differs from the second only in pruning.
    norms = "search.settings.pruning.norm=['l2', 'layer-mean']"
    configs = ("variant='a'", "variant='b'", "variant='b', settings={pruning.norm='layer-mean'}")
    simulated = simulate(varied(tmp_path, *configs, overrides=[norms]), NOISELESS, COSTS, parallel=3)
    assert simulated.epochs == (24 + 8 + 3) + (12 + 8 + 3) + 3
    assert simulated.wall_s == max(240 + 40 + 6, 120 + 40 + 6)


def test_the_winner_is_refit_at_the_cost_of_its_variant(tmp_path):
    costs = {"a": COSTS, "b": EpochCosts(pass_1_s=100, pass_2_s=50, pruning_s=20, reading_s=1000)}
    simulated = simulate(varied(tmp_path, "variant='b'"), NOISELESS, costs, parallel=1)
    # The first layerwise pass loses, so no pruned network is kept: two are evaluated, trained and refit.
    assert simulated.winner_epochs == 12 + 8
    assert simulated.winner_s == 1200 + 400 + 4 * 1000


def test_a_searched_setting_of_pass_2_leaves_pass_1_shared(tmp_path):
    space = load_space("demo", ["search.settings.pass_2.epochs=[4, 8]"])
    simulated = simulate(make_plan(tmp_path, space=space, trials=6), NOISELESS, COSTS, parallel=6)
    assert simulated.wall_s >= 240 + 4 * 5
    assert simulated.seconds <= 240 + 6 * (simulated.wall_s - 240)


@pytest.mark.parametrize("scheduler", ["none", "successive-halving"])
def test_a_whole_sweep_of_variants_and_settings(tmp_path, scheduler):
    plan = make_plan(tmp_path, space=varied_demo(), trials=16, scheduler=scheduler)
    simulated = simulate(plan, NOISY, COSTS, parallel=3)
    assert simulated.num_trials == 16
    assert simulated.epochs < simulated.epochs_alone
    assert simulated == simulate(plan, NOISY, COSTS, parallel=3)


def test_a_simulated_sweep_follows_the_recipe(tmp_path, monkeypatch):
    register_long(monkeypatch)
    plan = plan_of(tmp_path, *SHARED_PREFIX, overrides=("recipe=long",))
    simulated = simulate(plan, NOISELESS, COSTS, parallel=1)
    assert (simulated.epochs, simulated.epochs_alone) == (24 + 80 + 3 + 3, 2 * (24 + 80 + 3))
    # The refit of the winner, whose first pruning pass is worse than pass 2 in the tables.
    assert simulated.winner_epochs == 24 + 80 + 3 * (simulated.winner_stages - 2)


def test_without_shared_stages_every_trial_trains_all_of_its_own(tmp_path):
    plan = plan_of(tmp_path, *SHARED_PREFIX)
    simulated = simulate(plan, NOISELESS, COSTS, parallel=2, share_stages=False)
    assert simulated.epochs == simulated.epochs_alone == 2 * (24 + 8 + 3)
    assert simulated.wall_s == 240 + 40 + 6
    assert simulated.num_stages == 6


def test_ended_trials_hold_what_they_measured(tmp_path):
    configs = (((2, 4), "global"), ((3, 6), "layerwise"))
    plan = plan_of(tmp_path, *configs, scheduler="successive-halving")
    first, second = simulate(plan, NOISELESS, COSTS, parallel=1).trials
    assert (first.is_complete, first.chain, first.epochs) == (True, (0.9545, 0.9552), 24 + 8 + 3)
    # After epoch e of 8, a share of 0.35 * (1 - e / 8)^2 is missing.
    assert first.curve == pytest.approx([0.9545 * (1 - 0.35 * (1 - e / 8) ** 2) for e in range(1, 9)])
    # The second was stopped after two epochs of pass 2.
    assert (second.is_complete, second.chain, second.epochs) == (False, (), 24 + 8 + 3 + 2)
    assert len(second.curve) == 2
    assert (first.own_epochs, second.own_epochs) == (24 + 8 + 3, 24 + 2)
    assert second.config.params.superclasses == (3, 6)


class ListSearcher:
    """Tries the given configs in order and stops each after some epochs of pass 2."""

    def __init__(self, configs, max_epochs):
        self.configs, self.max_epochs = list(configs), max_epochs
        self.ended = []

    def next_trial(self):
        return ListedTrial(self, self.configs.pop(0)) if self.configs else None


class ListedTrial:
    def __init__(self, searcher, config):
        self.searcher, self.config = searcher, config

    def after_epoch(self, kind, epoch, value, *, reused):  # noqa: ARG002
        if kind.starts_chain and epoch + 1 == self.searcher.max_epochs:
            raise TrialStoppedError("long enough")

    def after_pass(self, pass_index, value):
        pass

    def end(self, chain, stopped):
        self.searcher.ended.append((chain, stopped))


def test_another_searcher_takes_the_place_of_the_study(tmp_path):
    plan = plan_of(tmp_path, *SHARED_PREFIX)
    configs = [plan.space.config(one.as_params(), seed=0) for one in plan.space.initial]
    searcher = ListSearcher(configs, max_epochs=3)
    simulated = simulate(plan, NOISELESS, COSTS, parallel=1, searcher=searcher)
    # Both share the three epochs of the same pass 2.
    assert simulated.epochs == 24 + 3
    assert [stopped for _, stopped in searcher.ended] == ["long enough"] * 2
    assert simulated.num_stopped == 2


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_budget_ends_a_simulated_search(tmp_path, parallel):
    plan = make_plan(tmp_path, trials=30, budget_epochs=100, confirm="none")
    simulated = simulate(plan, NOISY, COSTS, parallel=parallel)
    # Pass 1 has 24 epochs. The last trials were running when the others had used the budget up.
    spent = [24 + sum(each.effort["epochs_computed"] for each in simulated.trials[:n]) for n in range(30)]
    assert spent[len(simulated.trials)] == simulated.epochs
    used_up = next(n for n, epochs in enumerate(spent) if epochs >= 100)
    assert 0 < used_up <= simulated.num_trials <= used_up + parallel - 1 < 30
    hours = make_plan(tmp_path, trials=30, budget_hours=simulated.seconds / 3600, confirm="none")
    assert simulate(hours, NOISY, COSTS, parallel=parallel).num_trials >= simulated.num_trials
