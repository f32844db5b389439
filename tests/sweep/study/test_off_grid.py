"""Initial configs off the grid: they run as given, and the sampler does not learn from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.attributes import CODE
from autohier.sweep.study.ended_trials import study_trials
from autohier.sweep.study.study import SweepStudy
from support.sweep_runs.studies import complete, open_study

CONFIG = "superclasses=[12, 12], weight_ratio=4.0, scope='layerwise', ratio=0.1, passes=2"
EXACT = Hyperparameters(superclasses=(12, 12), weight_ratio=4.0, scope="layerwise", ratio=0.1, passes=2)


@pytest.fixture
def space() -> SearchSpace:
    return load_space("demo", [f"initial=[{{source='a table', off_grid=true, {CONFIG}}}]"])


def open_sweep(folder: Path, space: SearchSpace) -> SweepStudy:
    return open_study(folder, space=space, trials=20)


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


def test_its_config_is_read_back_and_its_shorter_chains_are_known(tmp_path: Path, space: SearchSpace) -> None:
    study = open_sweep(tmp_path, space)
    complete_first(study, [0.5, 0.6, 0.4])
    assert study.config(0).params == EXACT
    assert study._trials()[0].params == {
        "superclasses_1": 12,
        "superclasses_2": 12,
        "weight_ratio": 4.0,
        "scope": "layerwise",
        "ratio": 0.1,
        "passes": 2,
    }
    again = open_sweep(tmp_path, space)
    assert again._trial_index.is_known(EXACT.model_copy(update={"passes": 1}))
    nearest = EXACT.model_copy(update={"superclasses": (5, 6), "weight_ratio": 2.828427})
    assert not again._trial_index.is_known(nearest)


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


def test_only_configs_on_the_grid_have_a_code(tmp_path: Path, space: SearchSpace) -> None:
    off, on = open_sweep(tmp_path / "off", space), open_study(tmp_path / "on")
    for study, has_code in ((off, False), (on, True)):
        study.next_trial()
        assert (CODE in study._trials()[0].user_attrs) is has_code


def test_all_configs_of_a_search_have_the_same_distributions(tmp_path: Path, space: SearchSpace) -> None:
    study = open_sweep(tmp_path, space)
    for _ in range(3):
        study.next_trial()
    first, *others = (trial.distributions for trial in study._trials())
    assert others == [first, first]
