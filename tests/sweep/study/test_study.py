"""The study: initial configs, seeded samples, and the values of its trials."""

import optuna
import pytest
from optuna.samplers import RandomSampler

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.study.study import Measurements
from support.sweep_runs.studies import complete, open_study, run_trials


def test_initial_configs_come_first_and_then_the_sampler(tmp_path):
    study = open_study(tmp_path)
    initial = [config.as_params() for config in load_space("demo").initial]
    params = run_trials(study, 99)
    assert list(params) == [f"t{index:04d}" for index in range(6)]
    assert list(params.values())[: len(initial)] == initial
    assert study.num_finished() == 6


def test_another_seed_samples_other_configs(tmp_path):
    first = run_trials(open_study(tmp_path / "a"), 99)
    second = run_trials(open_study(tmp_path / "b", seed=1), 99)
    assert list(first.values())[:3] == list(second.values())[:3]
    assert list(first.values())[3:] != list(second.values())[3:]


def test_the_value_of_a_trial_is_the_best_of_its_chain(tmp_path):
    study = open_study(tmp_path, trials=1)
    sampled = study.next_trial()
    complete(study, sampled, [0.5, 0.6, 0.4], {"kept_pass": 1})
    trial = study._trials()[0]
    assert trial.value == 0.6
    # Epoch 2, within pass 2, is not reported here; passes report the best so far.
    # The demo trains pass 2 for 8 epochs and each pruning pass for 3.
    assert trial.intermediate_values == {8: 0.5, 11: 0.6, 14: 0.6}
    assert trial.user_attrs["chain"] == [0.5, 0.6, 0.4]
    assert trial.user_attrs["kept_pass"] == 1
    assert study.config(0) == sampled.config


def test_a_chain_gives_the_value_of_every_shorter_one(tmp_path):
    study = open_study(tmp_path, trials=2)
    sampled = study.next_trial()
    assert sampled.config.params.passes == 3
    # The stop rule ended the chain after two pruning passes: passes=2 would have trained the same.
    complete(study, sampled, [0.5, 0.7, 0.6])

    whole, *shorter = study._trial_index.observed
    assert (whole.params["passes"], whole.value) == (3, 0.7)
    assert [(seen.params["passes"], seen.value) for seen in shorter] == [(0, 0.5), (1, 0.7), (2, 0.7)]
    assert {key: value for key, value in shorter[0].params.items() if key != "passes"} == {
        key: value for key, value in whole.params.items() if key != "passes"
    }
    assert len(study._trials()) == study.num_finished() == 1  # they are not stored
    assert study.next_trial().name == "t0001"


def test_a_pruned_chain_gives_the_values_of_its_trained_passes(tmp_path):
    study = open_study(tmp_path, trials=1)
    sampled = study.next_trial()
    assert sampled.config.params.passes == 3
    first = study.rungs.pass_step(0)
    study.record_pruned(sampled, Measurements([0.5, 0.6], {0: 0.3, first: 0.5, first + 1: 0.6}), "too weak")

    (pruned,) = study._trials()
    assert pruned.state is optuna.trial.TrialState.PRUNED
    assert (pruned.value, pruned.user_attrs["reason"]) == (0.6, "too weak")
    # It trained what passes=1 trains; the value of passes=2 is unknown.
    _, *shorter = study._trial_index.observed
    assert [(seen.params["passes"], seen.value) for seen in shorter] == [(0, 0.5), (1, 0.6)]
    assert study.num_finished() == 1
    assert study.next_trial() is None


def test_a_failed_trial_counts_as_tried(tmp_path):
    study = open_study(tmp_path, trials=2)
    study.record_failure(study.next_trial(), "the loss must be finite", "not a number")
    complete(study, study.next_trial(), [0.5])
    assert study.num_finished() == 2
    assert study.next_trial() is None
    states = [trial.state for trial in study._trials()]
    assert states == [optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE]


def test_a_finished_study_can_be_extended(tmp_path):
    first = run_trials(open_study(tmp_path, trials=4), 99)
    more = run_trials(open_study(tmp_path, trials=7), 99)
    assert list(more) == ["t0004", "t0005", "t0006"]
    assert not set(first) & set(more)


def test_no_config_is_sampled_that_shares_a_stage_with_a_pruned_one(tmp_path):
    study = open_study(tmp_path, trials=40, seed=3)
    pruned = set()
    while sampled := study.next_trial():
        prefix = (sampled.config.params.superclasses, sampled.config.params.weight_ratio)
        # A repeat of the best config with another seed has no scheduler.
        if sampled.source == "sampled" and sampled.config.seed == 3:
            assert prefix not in pruned
            study.record_pruned(sampled, Measurements([], {0: 0.2}), "too weak")
            pruned.add(prefix)
        else:
            complete(study, sampled, [0.6])
    assert len(pruned) > 10


def test_the_sampler_sees_complete_and_pruned_trials(tmp_path, monkeypatch):
    seen = []

    class Spy(RandomSampler):
        def sample_relative(self, study, *_):
            seen.append([(each.state.name, each.value) for each in study.get_trials(deepcopy=False)])
            return {}

    study = open_study(tmp_path, trials=12)
    for number in range(11):
        sampled = study.next_trial()
        if number % 2:
            study.record_pruned(sampled, Measurements([], {0: number / 100}), "too weak")
        else:
            study.record_failure(sampled, "the loss must be finite", "not a number")
    # The eleven trials so far are the start-up: all sampled at random. Now the sampler is used.
    monkeypatch.setattr("autohier.sweep.study.sampling.hyperparameters.build_sampler", lambda *_: Spy(seed=0))
    study.next_trial()
    assert seen == [[("PRUNED", number / 100) for number in (1, 3, 5, 7, 9)]]


@pytest.mark.parametrize("keep_prefix", [0.0, 1.0])
def test_sampled_configs_keep_a_good_prefix_with_the_given_probability(tmp_path, keep_prefix):
    space = load_space("demo")
    search = space.search.model_copy(update={"keep_prefix": keep_prefix})
    study = open_study(tmp_path, space=space.model_copy(update={"search": search}), trials=20)
    sampled = list(run_trials(study, 99).values())

    prefixes = [(params.superclasses, params.weight_ratio) for params in sampled]
    repeats = [prefix in prefixes[:place] for place, prefix in enumerate(prefixes)]
    # The first ten are sampled without a prefix, to find some worth keeping.
    assert sum(repeats[len(space.initial) : 10]) < 4
    if keep_prefix:
        assert all(repeats[10:])
        assert len(set(sampled[10:])) > 5  # the other parameters are sampled
    else:
        assert sum(repeats[10:]) < 6


def test_a_database_can_hold_the_study(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    assert len(run_trials(open_study(tmp_path, storage=storage), 99)) == 6
    assert open_study(tmp_path, storage=storage).num_finished() == 6


def test_a_storage_that_cannot_be_opened_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="--storage must be an Optuna storage URL"):
        open_study(tmp_path, storage="nosuch://host/name")
