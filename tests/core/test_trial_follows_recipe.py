"""A trial, its refit, its test results and its rerun follow the recipe of the config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.core.prediction import find_kept_pass
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import TrialOutcome, evaluate_on_test, find_pass_1, refit, run_trial, to_refit
from autohier.data.store.reader import ClipStore
from autohier.records.trial_rows import complete_row
from support.fakes.fake_outcomes import START, fake_row
from support.fakes.fake_packages import installed_example
from support.fakes.fake_stages import FakeRunner
from support.sources.tiny_clips import open_tiny_trial, tiny_config

HEADS_ONLY = ["pass 1", "heads only", "prune 1"]


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, which offers the recipe."""
    with installed_example("autohier-stage-kind", tmp_path_factory.mktemp("example")):
        yield


@pytest.fixture(scope="module")
def trial(tiny_clips: ClipStore, folder: Path) -> TrialSetup:
    return open_tiny_trial(tiny_config("recipe=heads-only", passes=1), tiny_clips, folder)


@pytest.fixture(scope="module")
def outcome(trial: TrialSetup) -> TrialOutcome:
    return run_trial(trial)


def test_its_stages_are_those_of_the_recipe(trial: TrialSetup, outcome: TrialOutcome) -> None:
    assert [stage.label for stage in outcome.stages] == HEADS_ONLY
    assert outcome.stages[2].parent_key == outcome.stages[1].key
    pass_1 = find_pass_1(trial)
    assert pass_1 is not None
    assert pass_1.key == outcome.pass_1.key


def test_recipes_share_the_stages_that_they_have_in_common(
    trial: TrialSetup, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    hac = open_tiny_trial(tiny_config(passes=1), tiny_clips, tmp_path)
    own, other = ([stage.key for stage in FakeRunner().run_trial(each).stages] for each in (trial, hac))
    assert own[0] == other[0]
    assert not set(own[1:]) & set(other[1:])


def test_its_record_row_counts_the_first_stage_with_superclasses_as_pass_2(outcome: TrialOutcome) -> None:
    row = complete_row(fake_row(), outcome, START)
    assert row.pass_2_accuracy == outcome.stages[1].accuracy
    assert row.dense_parameters == outcome.stages[1].cost.parameters
    assert row.passes_trained == 1


def test_its_refit_and_its_test_results_are_of_the_same_stages(
    trial: TrialSetup, outcome: TrialOutcome
) -> None:
    kept = outcome.chain[1]
    refitted = refit(to_refit(trial, kept), kept)
    assert [stage.label for stage in refitted] == HEADS_ONLY
    assert {stage.hierarchy for stage in refitted[1:]} == {kept.hierarchy}
    labels = [label for label, _ in evaluate_on_test(trial, TrialOutcome(trial.config, outcome.stages, 1))]
    assert labels == [*HEADS_ONLY, *(f"{label}, refit" for label in HEADS_ONLY)]


def test_its_kept_pass_is_found_and_trained_again_if_it_is_missing(
    trial: TrialSetup, outcome: TrialOutcome, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    kept = outcome.chain[0]
    found = find_kept_pass(trial, 0, kept.keys)
    assert (found.reused, found.key, found.kind) == (True, kept.key, kept.kind)
    again = find_kept_pass(open_tiny_trial(trial.config, tiny_clips, tmp_path), 0, kept.keys)
    assert (again.reused, again.key, again.kind) == (False, kept.key, kept.kind)
