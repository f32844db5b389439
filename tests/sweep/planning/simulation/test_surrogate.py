"""The surrogate for training: noise, curves and whole clips, and the statistics that it is calibrated on."""

from dataclasses import replace
from statistics import correlation, mean, stdev

import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.pruning import StopRule
from autohier.sweep.planning.simulation.regimes import NULL, B, N
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate
from autohier.sweep.planning.simulation.surrogate import NoisyWorld, surrogate_of
from autohier.sweep.planning.simulation.world import World
from support.sweep_runs.plans import make_plan

DEMO = load_space("demo")
MANY_CLIPS = 10**9
"""Rounding to whole clips does not matter."""


def params(scope="layerwise", ratio=0.10, superclasses=(2, 4), weight_ratio=0.5, **others):
    return Hyperparameters(
        superclasses=superclasses, weight_ratio=weight_ratio, scope=scope, ratio=ratio, passes=7, **others
    )


def null_world(seed=0, *, clips=MANY_CLIPS, deviation=0.01):
    """Return a surrogate in which only noise differs, so little that the logit is linear."""
    regime = replace(NULL, num_validation_clips=clips, deviation=deviation)
    return NoisyWorld(World.draw(DEMO, regime, seed))


def noise(surrogate, sampled, seed, pass_index):
    """Return the noise of a stage in deviations; the slope of the logit at 75% is 1 / (0.75 * 0.25)."""
    return (surrogate.value(sampled, seed, pass_index) - 0.75) / (0.75 * 0.25 * 0.01)


CONFIGS = [
    params(superclasses=(low, high), weight_ratio=ratio)
    for low in (2, 3, 4)
    for high in (5, 6)
    for ratio in DEMO.search.weight_ratios
]


def test_a_seed_shifts_all_configs_by_half_a_deviation():
    surrogate = null_world()
    shifts = [noise(surrogate, params(), seed, None) for seed in range(400)]
    assert stdev(shifts) == pytest.approx(0.5, rel=0.12)
    assert mean(shifts) == pytest.approx(0, abs=4 * 0.5 / 20)
    # All configs of a seed share its pass 1; with seed 7 their mean is its shift.
    own = [noise(surrogate, config, 7, 0) for config in CONFIGS]
    assert mean(own) == pytest.approx(noise(surrogate, params(), 7, None), abs=4 / len(CONFIGS) ** 0.5)
    assert stdev(own) == pytest.approx(1, rel=0.3)


def test_consecutive_passes_are_correlated():
    surrogate = null_world()
    shift = noise(surrogate, params(), 0, None)
    chains = [[noise(surrogate, config, 0, k) - shift for k in range(3)] for config in CONFIGS]
    first, second, third = zip(*chains, strict=True)
    assert correlation(first, second) == pytest.approx(0.6, abs=0.2)
    assert correlation(second, third) == pytest.approx(0.6, abs=0.2)
    assert correlation(first, third) == pytest.approx(0.36, abs=0.25)
    assert stdev(third) == pytest.approx(1, rel=0.3)


def test_configs_that_share_a_stage_share_its_value():
    surrogate = NoisyWorld(World.draw(DEMO, B, 0))
    other = params(scope="global", ratio=0.2)
    assert surrogate.value(params(), 0, 0) == surrogate.value(other, 0, 0)
    assert surrogate.value(params(), 0, None) == surrogate.value(params(weight_ratio=1.0), 0, None)
    precise = null_world()
    assert precise.value(params(), 0, 1) != precise.value(other, 0, 1)
    assert precise.value(params(), 0, 0) != precise.value(params(), 1, 0)
    # Variants share no stage, settings of pruning alone share pass 2.
    assert precise.value(params(), 0, None) != precise.value(params(variant="other"), 0, None)
    pruned = params(settings=(("pruning.epochs", 3),))
    assert precise.value(params(), 0, 0) == precise.value(pruned, 0, 0)
    assert precise.value(params(), 0, 1) != precise.value(pruned, 0, 1)


def test_values_are_whole_clips():
    surrogate = NoisyWorld(World.draw(DEMO, B, 0))
    clips = [72 * surrogate.value(config, 0, 0) for config in CONFIGS]
    assert clips == pytest.approx([round(number) for number in clips], abs=1e-9)
    epochs = [72 * surrogate.after_epoch(params(), 0, 0, epoch, 8) for epoch in range(8)]
    assert epochs == pytest.approx([round(number) for number in epochs], abs=1e-9)


def test_without_noise_a_stage_catches_up_with_its_own_power_of_the_time_left():
    surrogate = null_world(deviation=0.0)
    curves = [[surrogate.after_epoch(config, 0, 0, epoch, 4) for epoch in range(4)] for config in CONFIGS]
    for curve in curves:
        assert curve == sorted(curve)
        assert curve[-1] == pytest.approx(0.75)
    # It lacks 1.15 * left^speed: with the median speed 2, 1.15 * 0.5625 a quarter through the stage.
    lacking = sorted(curve[0] for curve in curves)
    assert lacking[len(lacking) // 2] == pytest.approx(1 / (1 + 2.71828**0.6469 / 3), abs=0.02)
    assert lacking[-1] - lacking[0] > 0.05


def test_the_last_epoch_has_the_value_of_the_stage():
    surrogate = NoisyWorld(World.draw(DEMO, B, 0))
    for pass_index, num_epochs in ((None, 24), (0, 8), (2, 3)):
        last = surrogate.after_epoch(params(), 1, pass_index, num_epochs - 1, num_epochs)
        assert last == surrogate.value(params(), 1, pass_index)


def test_curves_cross():
    surrogate = NoisyWorld(World.draw(DEMO, NULL, 0))
    early = [surrogate.after_epoch(config, 0, 0, 1, 8) for config in CONFIGS]
    final = [surrogate.value(config, 0, 0) for config in CONFIGS]
    assert 0.3 < correlation(early, final) < 0.75


def test_a_value_does_not_depend_on_earlier_calls():
    first, second = (NoisyWorld(World.draw(DEMO, B, 4)) for _ in range(2))
    values = [first.value(params(), 0, k) for k in range(4)]
    assert [second.value(params(), 0, k) for k in reversed(range(4))] == values[::-1]
    assert values != [NoisyWorld(World.draw(DEMO, B, 5)).value(params(), 0, k) for k in range(4)]


def test_a_surrogate_of_a_space_has_its_size():
    surrogate = surrogate_of(load_space("utd_mhad"), 108, 3)
    regime = surrogate.world.regime
    assert (regime.name, regime.num_validation_clips, regime.pass_1) == ("B", 108, 0.8255)
    assert surrogate == surrogate_of(load_space("utd_mhad"), 108, 3)
    assert surrogate.world.seed == 3


def statistics(space, regime, folder, seeds):
    """Return the mean deviations, in points, of truth and noise between the trials of sweeps, and the
    correlation of the value a quarter through pass 2 with that of the trial."""
    rows = []
    for seed in seeds:
        surrogate = NoisyWorld(World.draw(space, regime, seed))
        plan = make_plan(folder, space=space, trials=32, seed=seed, scheduler="none")
        trials = simulate(plan, surrogate, EpochCosts(1, 1, 1), parallel=2).trials
        trials = [one for one in trials if not space.find_fault(one.config.params)]
        kept = [StopRule().best_pass(one.chain) for one in trials]
        true = [
            100 * surrogate.world.accuracy(one.config.params, k) for one, k in zip(trials, kept, strict=True)
        ]
        observed = [100 * max(one.chain) for one in trials]
        early = [one.curve[len(one.curve) // 4 - 1] for one in trials]
        errors = [a - b for a, b in zip(observed, true, strict=True)]
        rows.append((stdev(true), stdev(errors), correlation(early, observed)))
    return [mean(column) for column in zip(*rows, strict=True)]


def test_regime_b_has_the_documented_statistics(tmp_path):
    signal, deviation, rung = statistics(DEMO, B, tmp_path, range(8))
    # Measured on the demo's recipe: 3.9 points of signal, 4.2 of noise, a rung that correlates by 0.56.
    assert signal == pytest.approx(3.9, abs=1.0)
    assert deviation == pytest.approx(4.2, abs=0.5)
    assert rung == pytest.approx(0.56, abs=0.1)


def test_regime_n_has_the_documented_statistics(tmp_path):
    signal, deviation, _ = statistics(load_space("ntu60"), N, tmp_path, range(6))
    # 1.15 points of signal, 0.36 of noise.
    assert signal == pytest.approx(1.15, abs=0.4)
    assert deviation == pytest.approx(0.36, abs=0.05)
