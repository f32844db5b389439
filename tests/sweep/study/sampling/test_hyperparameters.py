"""Sampling a config: bounded observations, running trials, and steps to a neighbor."""

import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from autohier.config.search.loading import load_space
from autohier.sweep.study.sampling.hyperparameters import ConfigSampler, Observations
from autohier.sweep.study.sampling.search_space import distributions, encode
from support.sweep_runs.varied_spaces import varied_demo

SPACE = load_space("demo")
ENCODED = {
    "fanout_1": 0.5,
    "fanout_2": 0.5,
    "weight_ratio": 0,
    "scope": "layerwise",
    "ratio": 0,
    "passes": 0,
}


def make_trials(number, value=lambda place: place / 1000):
    return [
        create_trial(value=value(place), params=ENCODED, distributions=distributions(SPACE))
        for place in range(number)
    ]


def test_the_best_and_the_latest_observations_are_kept():
    # The best are at the beginning, in descending order.
    observations = Observations()
    for trial in make_trials(1000, lambda place: -float(place)):
        observations.add(trial)
    assert [trial.value for trial in observations] == [-float(n) for n in (*range(50), *range(850, 1000))]


@given(st.lists(st.integers(0, 20), max_size=400))
def test_observations_equal_a_sort_of_all_trials(values):
    observations = Observations()
    trials = [create_trial(value=float(value)) for value in values]
    for trial in trials:
        observations.add(trial)
    earlier, latest = trials[:-150], trials[-150:]
    # Sorting is stable: of equal values the earlier comes first.
    best = sorted(earlier, key=lambda trial: -trial.value)[:50]
    assert list(map(id, observations)) == list(map(id, [*best, *latest]))


def test_a_sample_equals_that_of_a_plain_optuna_study():
    trials = make_trials(30)
    study = optuna.create_study(direction="maximize", sampler=TPESampler(seed=5, n_startup_trials=1))
    study.add_trials(trials)
    assert ConfigSampler(SPACE, trials, []).sample("tpe", 5, {}) == study.ask(distributions(SPACE)).params


def test_a_sampler_sees_running_trials():
    running = create_trial(state=TrialState.RUNNING, params=ENCODED, distributions=distributions(SPACE))
    without = ConfigSampler(SPACE, make_trials(12), []).sample("gp", 3, {})
    assert ConfigSampler(SPACE, make_trials(12), [running]).sample("gp", 3, {}) != without


def test_steps_change_one_free_parameter_each_and_reach_all_of_them():
    fixed = {"fanout_1": 0.5, "weight_ratio": 0}
    configs, changed = ConfigSampler(SPACE, [], []), set()
    for seed in range(100):
        varied = configs.vary(ENCODED, seed, fixed)
        different = {name for name in ENCODED if varied[name] != ENCODED[name]}
        assert len(different) <= 1
        changed |= different
    assert changed == ENCODED.keys() - fixed.keys()
    assert configs.vary(ENCODED, 4, fixed) == configs.vary(ENCODED, 4, fixed)


def test_a_step_with_all_parameters_fixed_changes_nothing():
    assert ConfigSampler(SPACE, [], []).vary(ENCODED, 1, ENCODED) == ENCODED


def test_steps_reach_other_variants_and_settings():
    space = varied_demo()
    encoded = encode(space, space.initial[0].as_params())
    configs = ConfigSampler(space, [], [])
    fixed = {name: value for name, value in encoded.items() if name not in ("variant", "pruning.norm")}
    steps = [configs.vary(encoded, seed, fixed) for seed in range(40)]
    assert {step["variant"] for step in steps} == {"plain", "wide", "deep"}
    assert {step["pruning.norm"] for step in steps} == {0, 1}
    assert all(step.items() >= fixed.items() for step in steps)
