"""Draws: seeded, within the space, from a bounded number of observations."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from autohier.settings.loading import load_space
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.draws import Draws, Observations
from varied_spaces import varied_demo

SPACE = load_space("demo")


def observed(number, value=lambda place: place / 1000):
    params = {
        "fanout_1": 0.5,
        "fanout_2": 0.5,
        "weight_ratio": 0,
        "scope": "by-layer",
        "ratio": 0,
        "passes": 0,
    }
    return [
        create_trial(value=value(place), params=params, distributions=distributions(SPACE))
        for place in range(number)
    ]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_draw_depends_on_its_seed_and_not_on_the_draws_before(sampler):
    trials = observed(12)
    first = Draws(SPACE, trials, [])
    first.draw(sampler, 7, {})
    assert first.draw(sampler, 8, {}) == Draws(SPACE, trials, []).draw(sampler, 8, {})
    assert first.draw(sampler, 8, {}) != first.draw(sampler, 9, {})


def test_what_is_fixed_is_kept_and_the_rest_is_drawn():
    fixed = {"fanout_1": 0.25, "fanout_2": 0.75, "weight_ratio": 3}
    drawn = Draws(SPACE, observed(12), []).draw("tpe", 1, fixed)
    assert {name: drawn[name] for name in fixed} == fixed
    assert set(drawn) == set(distributions(SPACE))


def test_of_many_observations_the_best_and_the_latest_are_learnt_from():
    # The best stand at the beginning, in falling order.
    observations = Observations()
    for trial in observed(1000, lambda place: -float(place)):
        observations.add(trial)
    assert [trial.value for trial in observations] == [-float(n) for n in (*range(50), *range(850, 1000))]


@given(st.lists(st.integers(0, 20), max_size=400))
def test_what_is_learnt_from_is_what_sorting_all_of_it_would_give(values):
    observations = Observations()
    trials = [create_trial(value=float(value)) for value in values]
    for trial in trials:
        observations.add(trial)
    earlier, latest = trials[:-150], trials[-150:]
    # Sorting is stable: of equals the earlier comes first.
    best = sorted(earlier, key=lambda trial: -trial.value)[:50]
    assert list(map(id, observations)) == list(map(id, [*best, *latest]))


def test_a_sampler_draws_what_it_would_draw_from_a_study_of_its_own():
    trials = observed(30)
    study = optuna.create_study(direction="maximize", sampler=TPESampler(seed=5, n_startup_trials=1))
    study.add_trials(trials)
    assert Draws(SPACE, trials, []).draw("tpe", 5, {}) == study.ask(distributions(SPACE)).params


def test_running_trials_are_shown_to_samplers_that_avoid_them():
    running = create_trial(
        state=TrialState.RUNNING, params=observed(1)[0].params, distributions=distributions(SPACE)
    )
    assert Draws(SPACE, observed(12), []).draw("gp", 3, {}) != Draws(SPACE, observed(12), [running]).draw(
        "gp", 3, {}
    )


def test_a_step_changes_one_free_parameter_and_in_time_each_of_them():
    params, fixed = observed(1)[0].params, {"fanout_1": 0.5, "weight_ratio": 0}
    draws, changed = Draws(SPACE, [], []), set()
    for seed in range(100):
        varied = draws.vary(params, seed, fixed)
        different = {name for name in params if varied[name] != params[name]}
        assert len(different) <= 1
        changed |= different
    assert changed == params.keys() - fixed.keys()
    assert draws.vary(params, 4, fixed) == draws.vary(params, 4, fixed)


def test_where_all_is_fixed_a_step_stays():
    params = observed(1)[0].params
    assert Draws(SPACE, [], []).vary(params, 1, params) == params


def test_another_variant_is_a_step_too():
    space = varied_demo()
    params = encode(space, space.known[0].as_choice())
    draws = Draws(space, [], [])
    fixed = {name: value for name, value in params.items() if name not in ("variant", "pruning.norm")}
    steps = [draws.vary(params, seed, fixed) for seed in range(40)]
    assert {step["variant"] for step in steps} == {"plain", "wide", "deep"}
    assert {step["pruning.norm"] for step in steps} == {0, 1}
    assert all(step.items() >= fixed.items() for step in steps)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_every_sampler_draws_variants_and_settings(sampler):
    space = varied_demo()
    params = encode(space, space.known[0].as_choice())
    trials = [create_trial(value=0.5, params=params, distributions=distributions(space))]
    drawn = [Draws(space, trials, []).draw(sampler, seed, {}) for seed in range(3)]
    assert all(not space.why_not(decode(space, params)) for params in drawn)
