"""The contract of samplers (see `autohier.sweep.study.sampling.samplers`), on every registered one."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState, create_trial

from autohier.config.search.loading import load_space
from autohier.config.sweep_extensions import SAMPLERS
from autohier.errors import InputError
from autohier.sweep.study.sampling.hyperparameters import ConfigSampler
from autohier.sweep.study.sampling.samplers import build_sampler
from autohier.sweep.study.sampling.search_space import decode, distributions
from support.sweep_runs.plans import make_plan
from support.sweep_runs.varied_spaces import varied_demo

SPACES = {"demo": load_space("demo"), "varied": varied_demo()}
NAMES = SAMPLERS.names


def make_trials(space, number, state=TrialState.COMPLETE):
    """Trials at random configs of a space, with ascending values if they have one."""
    configs = ConfigSampler(space, [], [])
    return [
        create_trial(
            state=state,
            value=None if state is TrialState.RUNNING else seed / 100,
            params=configs.sample("random", seed, {}),
            distributions=distributions(space),
            intermediate_values={0: seed / 100} if state is TrialState.PRUNED else {},
        )
        for seed in range(number)
    ]


def open_sampler(space):
    """A sampler that has seen complete, pruned and running trials."""
    observed = [*make_trials(space, 6), *make_trials(space, 9, TrialState.PRUNED)[6:]]
    return ConfigSampler(space, observed, make_trials(space, 1, TrialState.RUNNING))


@pytest.mark.parametrize("name", NAMES)
def test_its_builder_returns_an_optuna_sampler(name):
    assert isinstance(build_sampler(name, 0, SPACES["demo"]), BaseSampler)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_samples_are_in_the_space(name, space):
    configs = open_sampler(space)
    for seed in range(3):
        encoded = configs.sample(name, seed, {})
        assert encoded.keys() == distributions(space).keys()
        assert not space.find_fault(decode(space, encoded))


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_depends_on_its_seed_and_not_on_earlier_samples(name):
    configs = open_sampler(SPACES["demo"])
    first = configs.sample(name, 7, {})
    second = configs.sample(name, 8, {})
    assert second == open_sampler(SPACES["demo"]).sample(name, 8, {})
    assert first == configs.sample(name, 7, {})
    assert first != second


@pytest.mark.parametrize("name", NAMES)
def test_fixed_parameters_stay(name):
    fixed = {"fanout_1": 0.25, "fanout_2": 0.75, "weight_ratio": 3}
    encoded = open_sampler(SPACES["demo"]).sample(name, 1, fixed)
    assert encoded.items() >= fixed.items()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", [None, TrialState.PRUNED])
def test_it_samples_without_complete_trials(name, state):
    space = SPACES["demo"]
    observed = make_trials(space, 3, state) if state else []
    encoded = ConfigSampler(space, observed, []).sample(name, 1, {})
    assert not space.find_fault(decode(space, encoded))


@pytest.mark.parametrize("name", NAMES)
def test_it_leaves_the_observed_trials_unchanged(name):
    trials = make_trials(SPACES["demo"], 4)
    before = deepcopy(trials)
    ConfigSampler(SPACES["demo"], trials, []).sample(name, 1, {})
    assert trials == before


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_may_name_it(tmp_path: Path, name):
    assert make_plan(tmp_path, sampler=name).sampler == name


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path):
    with pytest.raises(ValueError, match=r"unknown sampler 'tpee': did you mean 'tpe'"):
        make_plan(tmp_path, sampler="tpee")
    with pytest.raises(InputError, match="unknown sampler"):
        build_sampler("annealing", 0, SPACES["demo"])


def test_tpe_learns_from_pruned_trials():
    space = SPACES["demo"]
    complete, pruned = make_trials(space, 12), make_trials(space, 30, TrialState.PRUNED)[12:]
    without = ConfigSampler(space, complete, []).sample("tpe", 3, {})
    assert ConfigSampler(space, [*complete, *pruned], []).sample("tpe", 3, {}) != without


class IndependentOnly(RandomSampler):
    """A sampler that models every parameter by itself: the lowest value of each."""

    def sample_independent(self, *arguments):
        distribution = arguments[-1]
        return distribution.to_external_repr(getattr(distribution, "low", 0))


def test_parameters_that_a_sampler_leaves_out_are_sampled_independently(monkeypatch):
    monkeypatch.setattr(
        "autohier.sweep.study.sampling.hyperparameters.build_sampler", lambda *_: IndependentOnly()
    )
    encoded = ConfigSampler(SPACES["demo"], [], []).sample("any", 1, {})
    assert encoded == {
        "fanout_1": 0.0,
        "fanout_2": 0.0,
        "weight_ratio": 0,
        "scope": SPACES["demo"].search.scopes[0],
        "ratio": 0,
        "passes": 0,
    }
