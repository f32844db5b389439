"""A budget ends the search: in epochs or hours, with a share for the confirmation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autohier.sweep.study.storages.storage import in_memory_storage
from autohier.sweep.study.study import Measurements, SweepStudy
from support.sweep_runs.plans import make_plan

EPOCHS, SECONDS = 20, 1800.0


def run_all(tmp_path: Path, **changes: Any) -> SweepStudy:
    """Run trials of 20 epochs and half an hour until none is sampled; pass 1 has 24 epochs."""
    study = SweepStudy(make_plan(tmp_path, trials=30, **changes), in_memory_storage())
    while (sampled := study.next_trial()) is not None:
        facts = {"kept_pass": 0, "epochs_computed": EPOCHS, "seconds_computed": SECONDS}
        study.record_complete(sampled, Measurements([0.5], {}), facts)
    return study


def test_epochs_of_pass_1_and_of_trials_use_up_the_budget(tmp_path: Path) -> None:
    # 24 + 4 * 20 = 104 epochs are the first that reach 100.
    study = run_all(tmp_path, budget_epochs=100, confirm="none")
    assert study.num_finished() == study.target == 4


def test_a_fifth_is_kept_for_the_confirmation(tmp_path: Path) -> None:
    # 24 + 3 * 20 = 84 epochs reach 80.
    assert run_all(tmp_path, budget_epochs=100, confirm="4x2").num_finished() == 3


def test_hours_are_summed_over_trials(tmp_path: Path) -> None:
    assert run_all(tmp_path, budget_hours=2.0, confirm="none").num_finished() == 4


def test_the_number_of_trials_still_counts(tmp_path: Path) -> None:
    assert run_all(tmp_path, budget_epochs=10_000).target == 30
    assert run_all(tmp_path).target == 30


def test_failed_trials_count(tmp_path: Path) -> None:
    study = SweepStudy(make_plan(tmp_path, budget_epochs=60, confirm="none"), in_memory_storage())
    for _ in range(2):
        sampled = study.next_trial()
        assert sampled is not None
        study.record_failure(sampled, "diverged", "not a number", {"epochs_computed": EPOCHS})
    assert study.next_trial() is None


def test_stopped_trials_count(tmp_path: Path) -> None:
    study = SweepStudy(make_plan(tmp_path, budget_epochs=60, confirm="none"), in_memory_storage())
    for _ in range(2):
        sampled = study.next_trial()
        assert sampled is not None
        facts = {"stages": [], "epochs_computed": EPOCHS}
        study.record_pruned(sampled, Measurements([], {0: 0.3}), "behind", facts)
    assert study.next_trial() is None
