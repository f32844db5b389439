"""Trials whose stages are evicted from the store, before or while the trials run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.listing import evict, list_store
from autohier.core.trial import TrialOutcome, evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.errors import StageDamagedError
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config
from support.sweep_runs.whole_trials import run, weights_of

CONFIG = tiny_config("pass_1.epochs=1")
KINDS = (PASS_1, PASS_2, PRUNE)


def clear(stages: Path, *kinds: StageKind) -> None:
    """Evict the stages of some kinds."""
    for stage in list_store(stages):
        if stage.kind in {kind.name for kind in kinds}:
            assert evict(stages, stage)


class EvictingCallback(RecordingCallback):
    """Evicts all stages of some kinds whenever a stage is finished."""

    def __init__(self, stages: Path, *kinds: StageKind) -> None:
        super().__init__()
        self._stages, self._kinds = stages, kinds

    def on_stage_end(self, result: StageResult) -> None:
        super().on_stage_end(result)
        clear(self._stages, *self._kinds)


@dataclass(frozen=True)
class Trained:
    """A finished trial and its store."""

    outcome: TrialOutcome
    folder: Path


@pytest.fixture(scope="module")
def undisturbed(tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("stages")
    return Trained(run(CONFIG, tiny_clips, folder), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_trial_trains_evicted_stages_and_reuses_the_others(
    tiny_clips: ClipStore, undisturbed: Trained, tmp_path: Path, kind: StageKind
) -> None:
    before, stages = undisturbed.outcome, Path(shutil.copytree(undisturbed.folder, tmp_path / "stages"))
    clear(stages, kind)
    after = run(CONFIG, tiny_clips, stages)
    assert [stage.reused for stage in after.stages] == [stage.kind != kind for stage in before.stages]
    assert [stage.key for stage in after.stages] == [stage.key for stage in before.stages]
    for stage in after.stages:
        expected, weights = weights_of(undisturbed.folder, stage), weights_of(stages, stage)
        assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kinds", [(PASS_1,), KINDS])
def test_a_running_trial_trains_an_evicted_parent_again(
    tiny_clips: ClipStore,
    undisturbed: Trained,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kinds: tuple[StageKind, ...],
) -> None:
    recorder, evicting = RecordingCallback(), EvictingCallback(tmp_path, *kinds)
    outcome = run_trial(open_tiny_trial(CONFIG, tiny_clips, tmp_path, evicting))
    expected = run_trial(open_tiny_trial(CONFIG, tiny_clips, undisturbed.folder, recorder))
    assert [stage.key for stage in outcome.stages] == [stage.key for stage in expected.stages]
    for stage, original in zip(outcome.stages, expected.stages, strict=True):
        assert stage.stack_accuracies == original.stack_accuracies
        np.testing.assert_array_equal(stage.confusion_KK, original.confusion_KK)
    # Every stage and epoch is reported once, as in an undisturbed trial.
    assert [event[:3] for event in evicting.events] == [event[:3] for event in recorder.events]
    assert "are missing; it is trained again" in caplog.text


def test_the_test_split_is_evaluated_with_weights_that_are_trained_again(
    tiny_clips: ClipStore, undisturbed: Trained, tmp_path: Path
) -> None:
    outcome = replace(undisturbed.outcome, kept_pass=0)
    stages = Path(shutil.copytree(undisturbed.folder, tmp_path / "stages"))
    expected = evaluate_on_test(open_tiny_trial(CONFIG, tiny_clips, stages), outcome)
    # Every stage that is trained again, the refit included, is evicted as soon as it is reported.
    clear(stages, *KINDS)
    test_results = evaluate_on_test(
        open_tiny_trial(CONFIG, tiny_clips, stages, EvictingCallback(stages, *KINDS)), outcome
    )
    assert [label for label, _ in test_results] == [label for label, _ in expected]
    assert [each.stack_accuracies for _, each in test_results] == [
        each.stack_accuracies for _, each in expected
    ]


def test_a_store_that_keeps_nothing_fails_the_trial(
    tiny_clips: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = open_tiny_trial(tiny_config("pass_1.epochs=1", passes=1), tiny_clips, tmp_path)
    monkeypatch.setattr("autohier.core.stages.store.stage_store.StageStore.publish", lambda *_: None)
    with pytest.raises(StageDamagedError, match="a stage's weights must be readable, but got"):
        run_trial(trial)
