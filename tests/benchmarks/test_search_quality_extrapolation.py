"""Arms of the benchmark of searches that extrapolate, and the one that starts with a Sobol sequence."""

from __future__ import annotations

from types import ModuleType

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.choice.measured import Measured, network_of
from autohier.sweep.planning.simulation.regimes import B
from autohier.sweep.planning.simulation.results import EpochCosts, SimulatedSweep
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld
from autohier.sweep.planning.simulation.world import World
from support.benchmark_modules import load_benchmark

DEMO = load_space("demo")
FIRST = DEMO.initial[0].as_params()


@pytest.fixture(scope="module")
def extrapolation() -> ModuleType:
    return load_benchmark("search_quality_extrapolation")


@pytest.fixture(scope="module")
def arms() -> ModuleType:
    return load_benchmark("search_quality_arms")


def network(weight_ratio: float, pass_index: int, value: float = 0.0, ratio: float = 0.1) -> Measured:
    params: Hyperparameters = FIRST.model_copy(update={"weight_ratio": weight_ratio, "ratio": ratio})
    return Measured("", params, 0, pass_index, value)


def test_later_passes_follow_from_earlier_ones_and_from_similar_configs(extrapolation: ModuleType) -> None:
    model = extrapolation._Extrapolator(num_clips=2000)
    later = [network(2.0, 3, ratio=0.3), network(0.55, 3, ratio=0.2)]
    # Nothing is known before 20 measurements.
    assert model.against_best(later) == ([1.0, 1.0], [1.0, 1.0])
    for weight_ratio, value in ((0.4, 0.80), (0.5, 0.85), (0.6, 0.84), (1.0, 0.75), (2.0, 0.60)):
        for pass_index in range(4):
            model.add(network(weight_ratio, pass_index, value + 0.005 * pass_index))
    (poor, near), (poor_gain, near_gain) = model.against_best(later)
    assert poor < 0.05 < near
    assert poor_gain < near_gain
    # The best of each prefix, the highest first.
    assert [one.params.weight_ratio for one in model.best()[:2]] == [0.5, 0.6]
    assert model.best()[0].pass_index == 3


def sweep(arms: ModuleType, arm: str, trials: int) -> SimulatedSweep:
    surrogate = NoisyWorld(World.draw(DEMO, B, 1))
    searcher = arms.ARMS[arm].build(DEMO, trials, 1)
    plan = arms.plan_of(DEMO, trials, 1)
    return simulate(plan, surrogate, EpochCosts(1.0, 1.0, 1.0), parallel=1, searcher=searcher)


def test_a_search_that_extrapolates_stops_trials_but_never_the_first(arms: ModuleType) -> None:
    found = sweep(arms, "ours-stopped", 14)
    assert 0 < found.num_stopped < 14
    first = [one for one in found.trials if one.config.params.effect == FIRST.effect]
    assert [one.is_complete for one in first] == [True]


def test_samples_by_extrapolation_seek_a_gain_per_epoch(arms: ModuleType) -> None:
    found = sweep(arms, "ours-both", 12).trials
    # From the 20th measurement on, no sample only repeats what was trained.
    trained: set[object] = set()
    for one in found:
        networks = {network_of(one.config.params, k) for k in range(len(one.chain))}
        assert len(trained) < 20 or not one.is_complete or networks - trained
        trained |= networks


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_start_up_trials_follow_a_sobol_sequence(arms: ModuleType) -> None:
    found = sweep(arms, "ours-sobol", 11).trials
    initial = {DEMO.config(one.as_params(), seed=1).params.effect for one in DEMO.initial}
    sampled = [one.config.params for one in found if one.config.params.effect not in initial]
    assert len(sampled) == 8
    # Seven points of a sequence lie on both sides of the middle of every parameter.
    ratios = [one.weight_ratio for one in sampled[:7]]
    middle = sorted(DEMO.search.weight_ratios)[len(DEMO.search.weight_ratios) // 2]
    assert min(ratios) < middle < max(ratios)
    assert {one.scope for one in sampled[:7]} == {"global", "layerwise"}
