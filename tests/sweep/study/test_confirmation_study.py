"""The study of a confirmation: its runs survive drivers, and the search's study never sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.choice.confirmation import CONTROL, FLAT, NOMINEE, Run
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from autohier.sweep.study.ended_trials import read_study_trials
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import Measurements, SweepStudy
from support.sweep_runs.plans import make_plan

PRUNED = Hyperparameters(superclasses="2/4", weight_ratio=0.5, scope="global", ratio=0.123, passes=2)
"""Its ratio is not in the table of the search space."""
RUNS = [
    Run(PRUNED, 11, NOMINEE, "t0001"),
    Run(PRUNED.model_copy(update={"ratio": 0.0}), 11, CONTROL, "t0001"),
    Run(PRUNED.model_copy(update={"superclasses": (), "ratio": 0.0}), 11, FLAT, "t0001"),
]


@pytest.fixture
def plan(tmp_path: Path) -> SweepPlan:
    return make_plan(tmp_path, trials=1)


def open_study(tmp_path: Path, plan: SweepPlan) -> ConfirmationStudy:
    return ConfirmationStudy(plan, open_storage(None, tmp_path / "study.journal"))


def test_runs_have_names_and_no_numbers_of_the_search(tmp_path: Path, plan: SweepPlan) -> None:
    study = open_study(tmp_path, plan)
    study.add(RUNS)
    study.add(RUNS[:1])
    assert study.runs == tuple(RUNS)
    begun = [study.next_trial() for _ in RUNS]
    assert study.next_trial() is None
    assert [each.name for each in begun if each] == ["c0000", "c0001", "c0002"]
    for each, run in zip(begun, RUNS, strict=True):
        assert each is not None
        assert (each.number, each.trial_index, each.role, each.confirms) == (None, None, run.role, "t0001")
        config = each.config
        assert (config.params.superclasses, config.params.ratio) == (
            run.params.superclasses,
            run.params.ratio,
        )
        assert (config.params.passes, config.seed) == (2, 11)


def test_an_unfinished_run_runs_again_with_the_next_driver(tmp_path: Path, plan: SweepPlan) -> None:
    study = open_study(tmp_path, plan)
    study.add(RUNS)
    first, second = study.next_trial(), study.next_trial()
    assert first is not None
    assert second is not None
    study.record_complete(first, Measurements([0.6, 0.9, 0.7], {}), {"kept_pass": 2, "stages": []})
    again = open_study(tmp_path, plan)
    assert again.reconcile() == 1
    assert again.num_finished() == 1
    repeated = again.next_trial()
    assert repeated is not None
    assert (repeated.name, repeated.config) == (second.name, second.config)
    (ended,) = again.trials().ended
    # The value is that of the last pass, not of the best one.
    assert (ended.name, ended.value, ended.role, ended.number) == ("c0000", 0.7, NOMINEE, None)
    assert again.trials().names == {"c0000", "c0001"}


def test_failures_count_as_ended_unless_the_environment_caused_them(tmp_path: Path, plan: SweepPlan) -> None:
    study = open_study(tmp_path, plan)
    study.add(RUNS[:2])
    first, second = study.next_trial(), study.next_trial()
    assert first is not None
    assert second is not None
    study.record_failure(first, "loss is infinite", "not a number")
    study.record_failure(second, "no space left", "disk full")
    assert open_study(tmp_path, plan).reconcile() == 1
    assert study.names_of([second.trial.number]) == {"c0001"}


def test_the_search_and_its_confirmation_share_a_journal(tmp_path: Path, plan: SweepPlan) -> None:
    journal = tmp_path / "study.journal"
    search = SweepStudy(plan, open_storage(None, journal))
    assert ConfirmationStudy.find(plan, search.storage) is None
    sampled = search.next_trial()
    assert sampled is not None
    search.record_complete(sampled, Measurements([0.5], {}), {"kept_pass": 0})
    study = ConfirmationStudy(plan, search.storage)
    study.add(RUNS[:1])
    study.next_trial()
    again = SweepStudy(plan, open_storage(None, journal))
    assert again.num_sampled() == 1
    assert again.trials().names == {"t0000"}
    trials = read_study_trials(plan, journal)
    assert trials is not None
    assert trials.names == {"t0000", "c0000"}
