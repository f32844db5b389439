"""Draws: seeded, within the space, from a bounded number of observations."""

import optuna
import pytest
from optuna.trial import create_trial

from autohier.settings.loading import load_space
from autohier.sweep.coding import distributions
from autohier.sweep.draws import Draws

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


def test_of_many_observations_the_best_and_the_latest_are_learnt_from(monkeypatch):
    given = []
    monkeypatch.setattr(optuna.Study, "add_trials", lambda _, trials: given.extend(trials))
    # The best stand at the beginning, in falling order.
    Draws(SPACE, observed(1000, lambda place: -float(place)), [])
    assert [trial.value for trial in given] == [-float(place) for place in (*range(50), *range(850, 1000))]
