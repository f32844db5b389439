"""Configs that a study has tried: repeats with other seeds, and values that are known already."""

import pytest

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from support.sweep_runs.studies import complete, one_config_space, open_study


def test_a_config_that_is_sampled_again_runs_with_another_seed(tmp_path):
    study = open_study(tmp_path, space=one_config_space(), trials=3, seed=5)
    seeds = []
    for _ in range(3):
        sampled = study.next_trial()
        seeds.append(sampled.config.seed)
        assert sampled.config.params == Hyperparameters(
            superclasses=(2,), weight_ratio=0.5, scope="layerwise", ratio=0.1, passes=0
        )
        complete(study, sampled, [0.5])
    assert [study.config(number).seed for number in range(3)] == seeds
    # Users start the next sweeps with 6, 7, ...; their seeds must not repeat these.
    assert seeds[0] == 5
    assert len({*seeds, *range(5, 105)}) == 100 + 2


def test_trials_of_one_config_at_the_same_time_have_different_seeds(tmp_path):
    study = open_study(tmp_path, space=one_config_space(), trials=3)
    assert len({study.next_trial().config.seed for _ in range(3)}) == 3


def test_a_config_whose_value_follows_from_a_longer_chain_is_not_sampled(tmp_path):
    # Two configs; the value of the shorter one follows from the longer one.
    study = open_study(tmp_path, space=one_config_space(max_passes=1, max_seeds=1), trials=8)
    seen = set()
    for _ in range(4):
        sampled = study.next_trial()
        complete(study, sampled, [0.5, 0.6][: 1 + sampled.config.params.passes])
        seen.add((sampled.config.params.passes, sampled.config.seed))
        if sampled.config.params.passes:
            break
    assert (0, 1) not in seen


@pytest.mark.parametrize(
    ("chain", "known"),
    [([0.7, 0.6, 0.5], False), ([0.7, 0.6], True)],
    ids=["all passes", "ended by the stop rule"],
)
def test_a_chain_that_the_stop_rule_ended_gives_the_value_of_longer_ones(tmp_path, chain, known):
    # A chain that trained both passes says nothing about a third; one that the stop rule ended does.
    values = one_config_space(max_passes=3, ratios=[0.1, 0.2]).model_dump()
    first = {"source": "hand", "superclasses": [2], "weight_ratio": 0.5, "scope": "layerwise", "passes": 2}
    study = open_study(
        tmp_path, space=SearchSpace(**values | {"initial": [first | {"ratio": 0.1}]}), trials=30
    )
    sampled = study.next_trial()
    complete(study, sampled, chain)
    longer, other = (
        sampled.config.params.model_copy(update={"passes": 3, **changed}) for changed in ({}, {"ratio": 0.2})
    )
    assert (study._trial_index.is_known(longer), study._trial_index.is_known(other)) == (known, False)


def test_configs_with_the_same_effect_are_repeats(tmp_path):
    initial = [
        {"source": scope, "superclasses": [2], "weight_ratio": 0.5, "scope": scope, "ratio": 0.0, "passes": 0}
        for scope in ("layerwise", "global")
    ]
    space = one_config_space(ratios=[0.0], scopes=["layerwise", "global"])
    study = open_study(tmp_path, space=type(space)(**(space.model_dump() | {"initial": initial})), trials=2)
    assert len({study.next_trial().config.seed for _ in range(2)}) == 2
