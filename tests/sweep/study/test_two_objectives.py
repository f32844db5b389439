"""A study of accuracy and multiply-adds: values, observations, prefixes, sampling and resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.study.derived_trials import FrontPrefixes, Worth, last_worth
from autohier.sweep.study.ended_trials import study_trials
from autohier.sweep.study.sampling.hyperparameters import ConfigSampler, FrontObservations
from autohier.sweep.study.sampling.search_space import decode, prefix_names
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy
from support.sweep_runs.plans import make_plan
from support.sweep_runs.studies import open_study

TWO = "search.second_objective=multiply-adds"
M = 1_000_000


def open_two(folder: Path, *overrides: str, **changes: Any) -> SweepStudy:
    return open_study(folder, space=load_space("demo", [TWO, *overrides]), **changes)


def next_of(study: SweepStudy) -> SampledTrial:
    sampled = study.next_trial()
    assert sampled is not None
    return sampled


def complete_next(study: SweepStudy, chain: list[float], costs: list[int]) -> SampledTrial:
    sampled = next_of(study)
    steps = [study.rungs.pass_step(index) for index in range(len(chain))]
    measured = Measurements(chain, dict(zip(steps, chain, strict=True)), dict(zip(steps, costs, strict=True)))
    study.record_complete(sampled, measured, {"chain_multiply_adds": costs})
    return sampled


def observations(study: SweepStudy) -> list[tuple[int, list[float] | None]]:
    return [(seen.params["passes"], seen.values) for seen in study._trial_index.observed]


@pytest.mark.parametrize(
    ("costs", "bound", "expected"),
    [
        ([200, 120, 80], None, Worth(0.5, None, 80)),  # no pass replaces a cheaper one
        ([200, 200, 200], None, Worth(0.7, None, 200)),  # nothing is pruned: the best of equal ones
        ([200, 120, 80], 100, Worth(0.5, -0.2, 80)),
    ],
)
def test_a_config_is_worth_its_last_pass(costs: list[int], bound: int | None, expected: Worth) -> None:
    found = last_worth([0.6, 0.7, 0.5], costs, bound)
    assert (found.value, found.multiply_adds) == (expected.value, expected.multiply_adds)
    assert found.excess == (None if expected.excess is None else pytest.approx(expected.excess))


def test_a_trial_has_the_values_of_the_pass_that_it_keeps(tmp_path: Path) -> None:
    study = open_two(tmp_path)
    complete_next(study, [0.6, 0.7, 0.5], [200, 150, 80])
    assert [direction.name for direction in study._study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study._study.metric_names == ["validation accuracy", "multiply-adds"]
    (trial,) = study._trials()
    assert trial.values == [0.7, 150]
    (ended,) = study_trials(study.plan.space, study._trials()).ended
    assert (ended.value, ended.chain) == (0.7, (0.6, 0.7, 0.5))


def test_every_pass_is_an_observation_for_every_driver(tmp_path: Path) -> None:
    study = open_two(tmp_path)
    complete_next(study, [0.6, 0.7, 0.5, 0.4], [200, 150, 80, 60])
    for each in (study, open_two(tmp_path)):
        assert observations(each) == [(3, [0.4, 60]), (0, [0.6, 200]), (1, [0.7, 150]), (2, [0.5, 80])]


def test_a_stopped_trial_gives_the_passes_that_it_trained(tmp_path: Path) -> None:
    study = open_two(tmp_path)
    sampled = next_of(study)
    rungs = {0: 0.4, 1: 0.5, 2: 0.45}
    measured = Measurements([0.5, 0.45], rungs, {0: 210, 1: 200, 2: 150})
    study.record_pruned(sampled, measured, "too weak", {"chain_multiply_adds": [200, 150]})
    for each in (study, open_two(tmp_path)):
        # Its own config has no value: what it would have reached is not known.
        assert observations(each) == [(3, None), (0, [0.5, 200]), (1, [0.45, 150])]
        reports = [(report.step, report.value, report.multiply_adds) for report in each.rung_reports()]
        assert reports == [(0, 0.4, 210), (1, 0.5, 200), (2, 0.45, 150)]


def test_a_config_on_the_front_may_run_with_another_seed(tmp_path: Path) -> None:
    study = open_two(tmp_path)
    accurate = complete_next(study, [0.9], [200]).config.params
    beaten = complete_next(study, [0.8], [200]).config.params
    cheap = complete_next(study, [0.5], [90]).config.params
    best = [study._trial_index.is_best(params) for params in (accurate, beaten, cheap)]
    assert best == [True, False, True]


def test_prefixes_of_the_front_are_kept() -> None:
    space = load_space("demo", [TWO])
    prefixes, codes = FrontPrefixes(space), []
    for seed, (value, cost) in enumerate([(0.9, 300), (0.7, 100), (0.8, 300), (0.6, 200), (0.5, 50)]):
        code = ConfigSampler(space, [], []).sample("random", seed, {})
        params = decode(space, code)
        prefixes.add(params, code, Worth(value, None, cost))
        prefixes.add(params, code, Worth(value - 0.4, None, cost))  # behind its own front
        codes.append({name: code[name] for name in prefix_names(space)})
    # The front (0, 1, 4), then the others, of which there are fewer than six.
    assert prefixes.best() == [codes[index] for index in (0, 1, 4, 2, 3)]


def test_earlier_observations_near_the_front_are_kept() -> None:
    observed = FrontObservations()
    for number in range(400):
        front = number % 100 == 0
        value, cost = (0.9 - number / 1000, 1000.0 - number) if front else (0.1, 2000.0 + number)
        observed.add(optuna.trial.create_trial(values=[value, cost]))
    kept = [trial.values for trial in observed]
    assert len(kept) == 200
    assert all([0.9 - number / 1000, 1000.0 - number] in kept for number in (0, 100, 200))


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("gp", marks=pytest.mark.slow), "random"])
def test_samplers_learn_from_both_objectives(tmp_path: Path, sampler: str) -> None:
    space = load_space("demo", [TWO, "search.max_multiply_adds=100M"])
    study = open_study(tmp_path, space=space)
    complete_next(study, [0.6, 0.7, 0.5, 0.4], [200 * M, 150 * M, 80 * M, 60 * M])
    stopped = next_of(study)
    study.record_pruned(stopped, Measurements([], {0: 0.4}, {0: 210}), "too weak")
    encoded = ConfigSampler(space, study._trial_index.observed, []).sample(sampler, 0, {})
    assert not space.find_fault(decode(space, encoded))


@pytest.mark.slow
def test_tpe_prunes_more_than_for_accuracy_alone(tmp_path: Path) -> None:
    """The more is pruned the cheaper, and the worse by little."""
    ratios = {}
    for name, overrides in (("two", [TWO]), ("one", [])):
        space = load_space("demo", ["initial=[]", "search.keep_prefix=0", "search.max_passes=1", *overrides])
        study, sampled_ratios = open_study(tmp_path / name, space=space, trials=60), []
        while sampled := study.next_trial():
            params = sampled.config.params
            chain = [0.9, 0.9 - params.ratio / 10][: params.passes + 1]
            costs = [100 * M, round(100 * M * (1 - params.ratio) ** 2)][: params.passes + 1]
            study.record_complete(sampled, Measurements(chain, {}), {"chain_multiply_adds": costs})
            sampled_ratios.append(params.ratio * params.passes)
        ratios[name] = sum(sampled_ratios[20:]) / len(sampled_ratios[20:])
    assert ratios["two"] > 1.5 * ratios["one"]


def test_a_resumed_study_samples_as_an_undisturbed_one(tmp_path: Path) -> None:
    def run(folder: Path, *, reopened: bool) -> list[str]:
        study, texts = open_two(folder, trials=16), []
        for number in range(16):
            if reopened:
                study = open_two(folder, trials=16)
            ratio = (number % 5) / 10
            sampled = complete_next(study, [0.5 + ratio, 0.5], [100 * M, round((1 - ratio) * 90 * M)])
            texts.append(sampled.config.params.settings_text)
        return texts

    assert run(tmp_path / "whole", reopened=False) == run(tmp_path / "reopened", reopened=True)


@pytest.mark.parametrize(("started", "resumed"), [([], [TWO]), ([TWO], [])])
def test_a_study_of_other_objectives_is_refused(
    tmp_path: Path, started: list[str], resumed: list[str]
) -> None:
    open_study(tmp_path, space=load_space("demo", started))
    with pytest.raises(InputError, match=r"must have the objectives that it started with.*second_objective"):
        open_study(tmp_path, space=load_space("demo", resumed))


def test_optuna_shows_the_front_of_the_kept_networks(tmp_path: Path) -> None:
    study = open_two(tmp_path)
    for chain, costs in (([0.9, 0.8], [200, 100]), ([0.7, 0.75], [200, 100]), ([0.6], [200])):
        complete_next(study, chain, costs)
    plan = make_plan(tmp_path)
    loaded = optuna.load_study(study_name=plan.study_name, storage=study.storage)
    assert [trial.number for trial in loaded.best_trials] == [0, 1]
    assert [trial.state for trial in loaded.trials] == [TrialState.COMPLETE] * 3
