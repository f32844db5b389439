"""Trials whose stages are evicted from the store: before they begin, and while they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autohier.core.stages.inventory import evict, list_store
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.trial import read_tests, run_trial
from autohier.data.store.reader import ClipStore
from autohier.errors import StageDamagedError
from fake_stages import Told
from tiny_clips import open_tiny_trial, tiny_setting
from whole_trials import run, weights_of

SETTING = tiny_setting("pass_1.epochs=1")
KINDS: tuple[StageKind, ...] = ("pass-1", "pass-2", "prune")


def clear(stages: Path, *kinds: str) -> None:
    """Evict the stages of some kinds."""
    for stage in list_store(stages):
        if stage.kind in kinds:
            assert evict(stages, stage)


class Evicts(Told):
    """Empties the store of some kinds of stages whenever a stage is finished."""

    def __init__(self, stages: Path, *kinds: str) -> None:
        super().__init__()
        self._stages, self._kinds = stages, kinds

    def stage_finished(self, result: StageResult) -> None:
        super().stage_finished(result)
        clear(self._stages, *self._kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_trial_computes_what_was_evicted_and_finds_the_rest(
    tiny_clips: ClipStore, tmp_path: Path, kind: StageKind
) -> None:
    before = run(SETTING, tiny_clips, tmp_path)
    weights = [weights_of(tmp_path, stage) for stage in before.stages]
    clear(tmp_path, kind)
    after = run(SETTING, tiny_clips, tmp_path)
    assert [stage.reused for stage in after.stages] == [stage.kind != kind for stage in before.stages]
    assert [stage.key for stage in after.stages] == [stage.key for stage in before.stages]
    for stage, expected in zip(after.stages, weights, strict=True):
        found = weights_of(tmp_path, stage)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kinds", [("pass-1",), ("pass-2", "prune"), KINDS])
def test_a_running_trial_computes_again_what_it_starts_from(
    tiny_clips: ClipStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, kinds: tuple[str, ...]
) -> None:
    undisturbed, told = Told(), Evicts(tmp_path / "evicted", *kinds)
    whole = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path / "whole", undisturbed))
    outcome = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path / "evicted", told))
    assert [stage.key for stage in outcome.stages] == [stage.key for stage in whole.stages]
    for ours, theirs in zip(outcome.stages, whole.stages, strict=True):
        assert ours.stack_accuracies == theirs.stack_accuracies
        np.testing.assert_array_equal(ours.confusion_KK, theirs.confusion_KK)
    # Every stage and epoch is reported once, as in a trial that was left alone.
    assert [event[:3] for event in told.events] == [event[:3] for event in undisturbed.events]
    assert "are gone, and it is computed again" in caplog.text


def test_the_test_split_is_read_with_weights_that_are_computed_again(
    tiny_clips: ClipStore, tmp_path: Path
) -> None:
    setting = tiny_setting("pass_1.epochs=1", passes=1)
    trial = open_tiny_trial(setting, tiny_clips, tmp_path)
    outcome = run_trial(trial)
    expected = read_tests(trial, outcome)
    # Whatever is computed again, the refit included, is evicted as soon as it is told.
    readings = read_tests(open_tiny_trial(setting, tiny_clips, tmp_path, Evicts(tmp_path, *KINDS)), outcome)
    assert [label for label, _ in readings] == [label for label, _ in expected]
    assert [each.stack_accuracies for _, each in readings] == [each.stack_accuracies for _, each in expected]


def test_a_store_that_keeps_nothing_ends_the_trial_with_one_line(
    tiny_clips: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = open_tiny_trial(tiny_setting("pass_1.epochs=1", passes=1), tiny_clips, tmp_path)
    monkeypatch.setattr("autohier.core.stages.store.StageStore.publish", lambda *_: None)
    with pytest.raises(StageDamagedError, match="a stage's weights must be readable, but got"):
        run_trial(trial)
