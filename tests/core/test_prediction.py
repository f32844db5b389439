"""What a finished trial takes single clips for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from autohier.core.prediction import find_kept, predict_test, predict_validation
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import Predictions
from autohier.core.trial import TrialOutcome, read_test, run_trial
from autohier.data.store.reader import ClipStore
from tiny_clips import TEST_SUBJECTS, VALIDATION_SUBJECTS, open_tiny_trial, tiny_setting
from whole_trials import probabilities_by_hand, rebuilt, weights_of

FOLDS = tiny_setting("protocol.validation=folds", "protocol.num_folds=2", passes=0)
HELD_OUT = ((1, 7), (3, 9))


def rows_of(clips: ClipStore, subjects: tuple[int, ...]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(clips.clips.subject, subjects))


def check(
    told: Predictions, clips: ClipStore, rows: NDArray[np.int64], folder: Path, stage: StageResult
) -> None:
    """That predictions are what a stage's stored weights make of these rows of the store, in their order."""
    by_hand = [
        stacks[-1] for stacks in probabilities_by_hand(rebuilt(stage, weights_of(folder, stage)), clips, rows)
    ]
    assert told.clip_ids == tuple(clips.clips.clip_id[row] for row in rows)
    assert told.labels_N.tolist() == clips.clips.label[rows].tolist()
    assert told.probabilities_NK.dtype == np.float32
    assert told.probabilities_NK == pytest.approx(np.array(by_hand), abs=1e-4)


def test_validation_clips_are_taken_for_what_the_stored_network_says(
    trial: OpenTrial, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    told = predict_validation(trial, outcome.kept)
    check(told, tiny_clips, rows_of(tiny_clips, VALIDATION_SUBJECTS), folder, outcome.kept)
    assert told.accuracy == pytest.approx(outcome.accuracy)


def test_test_clips_are_read_with_the_trial_s_own_network_or_with_its_refit(
    trial: OpenTrial,
    outcome: TrialOutcome,
    refitted: tuple[StageResult, ...],
    tiny_clips: ClipStore,
    folder: Path,
) -> None:
    kept, rows = outcome.chain[1], rows_of(tiny_clips, TEST_SUBJECTS)
    check(predict_test(trial, kept, refitted=False), tiny_clips, rows, folder, kept)
    told = predict_test(trial, kept, refitted=True)
    check(told, tiny_clips, rows, folder, refitted[-1])
    assert told.accuracy == pytest.approx(read_test(trial, refitted[-1]).accuracy)


@pytest.fixture(scope="module")
def folds(tiny_clips: ClipStore, folder: Path) -> OpenTrial:
    return open_tiny_trial(FOLDS, tiny_clips, folder)


@pytest.fixture(scope="module")
def kept_of_folds(folds: OpenTrial) -> StageResult:
    return run_trial(folds).kept


class TestFolds:
    def test_each_training_clip_is_taken_for_what_the_fold_says_that_held_it_out(
        self, folds: OpenTrial, kept_of_folds: StageResult, tiny_clips: ClipStore, folder: Path
    ) -> None:
        told = predict_validation(folds, kept_of_folds)
        start = 0
        for index, held_out in enumerate(HELD_OUT):
            rows = rows_of(tiny_clips, held_out)
            part = told.of(told.clip_ids[start : start + len(rows)])
            check(part, tiny_clips, rows, folder, kept_of_folds.fold(index))
            start += len(rows)
        assert start == len(told.clip_ids) == len(set(told.clip_ids))

    def test_they_are_found_by_their_names(self, folds: OpenTrial, kept_of_folds: StageResult) -> None:
        found = find_kept(folds, 0, kept_of_folds.keys)
        assert found.keys == kept_of_folds.keys
        assert len(found.keys) == 2


class TestKeptPass:
    def test_it_is_found_alone_and_in_other_numerics_too(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, tmp_path: Path
    ) -> None:
        stage = outcome.chain[1]
        shutil.copytree(folder / "prune" / stage.key, tmp_path / "prune" / stage.key)
        other = tiny_setting("numerics.deterministic=false", passes=1)
        found = find_kept(open_tiny_trial(other, tiny_clips, tmp_path), 1, [stage.key])
        assert found.key == stage.key
        assert found.reused
        assert [path.name for path in tmp_path.iterdir()] == ["prune"]

    def test_where_it_is_gone_the_chain_is_run_to_it_and_no_further(
        self,
        outcome: TrialOutcome,
        tiny_clips: ClipStore,
        tmp_path: Path,
        folder: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        kept = outcome.chain[1]
        shutil.copytree(folder / "pass-1", tmp_path / "pass-1")
        found = find_kept(open_tiny_trial(outcome.setting, tiny_clips, tmp_path), 1, [kept.key])
        assert (found.key, found.accuracy) == (kept.key, kept.accuracy)
        assert not found.reused
        assert "prune 1 is gone from" in caplog.text
        assert len(list((tmp_path / "pass-1").iterdir())) == len(list((folder / "pass-1").iterdir()))
        assert [len(list((tmp_path / kind).iterdir())) for kind in ("pass-2", "prune")] == [1, 1]
