"""Initial configs off the grid: they run as given, and the sampler does not learn from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.ended_trials import study_trials
from autohier.sweep.study.search_space import OFF_GRID, decode, encode_nearest, params_of
from autohier.sweep.study.study import SweepStudy
from support.sweep_runs.studies import complete, open_study

CONFIG = "superclasses=[12, 12], weight_ratio=4.0, scope='layerwise', ratio=0.1, passes=2"
EXACT = Hyperparameters(superclasses=(12, 12), weight_ratio=4.0, scope="layerwise", ratio=0.1, passes=2)


@pytest.fixture
def space() -> SearchSpace:
    return load_space("demo", [f"initial=[{{source='a table', off_grid=true, {CONFIG}}}]"])


def open_sweep(folder: Path, space: SearchSpace) -> SweepStudy:
    return open_study(folder, space=space, trials=20)


def decode_exactly(space: SearchSpace, study: SweepStudy, number: int) -> Hyperparameters:
    trial = study._trials()[number]
    assert trial.user_attrs["derived_from"] == 0
    return params_of(space, trial)


def complete_first(study: SweepStudy, chain: list[float]) -> None:
    sampled = study.next_trial()
    assert sampled is not None
    complete(study, sampled, chain)


def test_it_runs_as_given_and_every_level_may_hold_the_classes(tmp_path: Path, space: SearchSpace) -> None:
    sampled = open_sweep(tmp_path, space).next_trial()
    assert sampled is not None
    assert (sampled.source, sampled.config.params) == ("a table", EXACT)
    assert sampled.config.params.stack_weights == (16.0, 4.0, 1.0)


def test_a_lost_one_runs_again_as_given(tmp_path: Path, space: SearchSpace) -> None:
    open_sweep(tmp_path, space).next_trial()
    study = open_sweep(tmp_path, space)
    assert study.reconcile() == 1
    sampled = study.next_trial()
    assert sampled is not None
    assert (sampled.index, sampled.config.params) == (0, EXACT)


def test_its_config_is_read_back_also_for_shorter_chains(tmp_path: Path, space: SearchSpace) -> None:
    study = open_sweep(tmp_path, space)
    complete_first(study, [0.5, 0.6, 0.4])
    assert study.config(0).params == EXACT
    shorter = [decode_exactly(space, study, number) for number in (1, 2)]
    assert shorter == [EXACT.model_copy(update={"passes": passes}) for passes in (0, 1)]
    again = open_sweep(tmp_path, space)
    assert again._trial_index.is_known(EXACT.model_copy(update={"passes": 1}))
    assert not again._trial_index.is_known(decode(space, encode_nearest(space, EXACT)))


def test_it_ends_as_given(tmp_path: Path, space: SearchSpace) -> None:
    study = open_sweep(tmp_path, space)
    complete_first(study, [0.9, 0.8, 0.7])
    (ended,) = study_trials(space, study._trials()).ended
    assert ended.config.params == EXACT


def test_the_sampler_does_not_see_it(tmp_path: Path, space: SearchSpace) -> None:
    study = open_sweep(tmp_path, space)
    complete_first(study, [0.9, 0.8, 0.7])
    index = study._trial_index
    assert [*index.observed] == []
    assert index.prefixes.best() == []
    assert index.num_tried == 1
    assert index.is_best(EXACT)


def test_the_nearest_config_lies_on_the_grid(space: SearchSpace) -> None:
    # Allowed are 2 to 6: the first level keeps one larger count free. The largest ratio is 2^1.5.
    nearest = decode(space, encode_nearest(space, EXACT))
    assert (nearest.superclasses, nearest.weight_ratio) == ((5, 6), 2.828427)
    assert (nearest.scope, nearest.ratio, nearest.passes) == ("layerwise", 0.1, 2)


def test_configs_on_the_grid_carry_no_copy(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.next_trial()
    assert OFF_GRID not in study._trials()[0].user_attrs
