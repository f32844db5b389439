"""A bound on multiply-adds: the value of a trial, what the sampler observes, and which config is the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autohier.config.search.loading import load_space
from autohier.sweep.study.derived_trials import Worth, worth_of
from autohier.sweep.study.study import Measurements, SweepStudy
from support.sweep_runs.studies import complete, open_study


def open_bounded(folder: Path, **changes: Any) -> SweepStudy:
    return open_study(folder, space=load_space("demo", ["search.max_multiply_adds=100"]), **changes)


def complete_next(study: SweepStudy, chain: list[float], costs: list[int]) -> None:
    sampled = study.next_trial()
    assert sampled is not None
    complete(study, sampled, chain, {"chain_multiply_adds": costs})


@pytest.mark.parametrize(
    ("costs", "bound", "expected"),
    [
        ([200, 120, 80], 100, Worth(0.5, -0.2)),  # only the last pass is within the bound
        ([200, 150, 125], 100, Worth(0.7, 0.25)),  # none is: the best of all
        ([200, 150, 125], None, Worth(0.7, None)),
        ([], 100, Worth(0.7, None)),  # a simulated trial has no costs
    ],
)
def test_a_chain_is_worth_its_best_pass_within_the_bound(
    costs: list[int], bound: int | None, expected: Worth
) -> None:
    worth = worth_of([0.6, 0.7, 0.5], costs, bound)
    assert worth.value == expected.value
    assert worth.excess == (None if expected.excess is None else pytest.approx(expected.excess))


def test_the_sampler_sees_by_how_much_each_length_exceeds_the_bound(tmp_path: Path) -> None:
    study = open_bounded(tmp_path)
    complete_next(study, [0.6, 0.7, 0.5], [200, 150, 80])
    (trial,) = study._trials()
    assert trial.value == 0.5
    assert trial.constraints["max_multiply_adds"] == pytest.approx(-0.2)
    for each in (study, open_bounded(tmp_path)):  # the next driver, too
        observed = list(each._trial_index.observed)
        # The stop rule ended the chain after two of its three passes.
        assert [(seen.params["passes"], seen.value) for seen in observed] == [
            *((3, 0.5), (0, 0.6), (1, 0.7), (2, 0.5)),
        ]
        excesses = [seen.constraints["max_multiply_adds"] for seen in observed]
        assert excesses == pytest.approx([-0.2, 1.0, 0.5, -0.2])


def test_only_a_config_within_the_bound_is_the_best_one(tmp_path: Path) -> None:
    study = open_bounded(tmp_path)
    complete_next(study, [0.9], [200])
    complete_next(study, [0.5], [90])
    first, second = (study.config(number).params for number in (0, 1))
    assert not study._trial_index.is_best(first)
    assert study._trial_index.is_best(second)
    assert study._study.best_trial.number == 1


def test_a_stopped_trial_may_still_be_pruned_below_the_bound(tmp_path: Path) -> None:
    study = open_bounded(tmp_path)
    sampled = study.next_trial()
    assert sampled is not None
    first = study.rungs.pass_step(0)
    measured = Measurements([0.5], {0: 0.4, first: 0.5})
    study.record_pruned(sampled, measured, "too weak", {"chain_multiply_adds": [200]})
    stopped, unpruned = study._trial_index.observed
    assert stopped.constraints == {}
    assert (unpruned.params["passes"], unpruned.constraints) == (0, {"max_multiply_adds": 1.0})


def test_tpe_samples_configs_within_the_bound(tmp_path: Path) -> None:
    """The more is pruned the worse and the cheaper; without the bound, pruning less would be better."""
    shares = {}
    for name, overrides in (("bounded", ["search.max_multiply_adds=50"]), ("free", [])):
        space = load_space("demo", ["initial=[]", "search.keep_prefix=0", "search.max_passes=1", *overrides])
        study, cheap = open_study(tmp_path / name, space=space, trials=60), []
        while sampled := study.next_trial():
            params = sampled.config.params
            chain = [0.9, 0.9 - params.ratio][: params.passes + 1]
            costs = [100, round(100 * (1 - 2 * params.ratio))][: params.passes + 1]
            complete(study, sampled, chain, {"chain_multiply_adds": costs})
            cheap.append(min(costs) <= 50)
        shares[name] = sum(cheap[20:]) / len(cheap[20:])
    assert shares["bounded"] > 1.5 * shares["free"]
