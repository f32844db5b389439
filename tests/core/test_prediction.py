"""Per-clip class probabilities of finished trials."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from autohier.core.prediction import find_kept_pass, predict_test, predict_validation
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import Predictions
from autohier.core.trial import TrialOutcome, evaluate_stage_on_test, run_trial
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from support.sources.tiny_clips import TEST_SUBJECTS, VALIDATION_SUBJECTS, open_tiny_trial, tiny_config
from support.sweep_runs.whole_trials import probabilities_by_hand, rebuilt, weights_of

FOLDS = tiny_config("protocol.validation=folds", "protocol.num_folds=2", passes=0)
HELD_OUT = ((1, 7), (3, 9))


def rows_of(clips: ClipStore, subjects: tuple[int, ...]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(clips.clips.subject, subjects))


def check_predictions(
    predictions: Predictions, clips: ClipStore, rows: NDArray[np.int64], folder: Path, stage: StageResult
) -> None:
    """Check that predictions equal the outputs of a stage's stored weights for these rows, in order."""
    by_hand = [
        stacks[-1] for stacks in probabilities_by_hand(rebuilt(stage, weights_of(folder, stage)), clips, rows)
    ]
    assert predictions.clip_ids == tuple(clips.clips.clip_id[row] for row in rows)
    assert predictions.labels_N.tolist() == clips.clips.label[rows].tolist()
    assert predictions.probabilities_NK.dtype == np.float32
    assert predictions.probabilities_NK == pytest.approx(np.array(by_hand), abs=1e-4)


def test_validation_predictions_are_those_of_the_stored_network(
    trial: TrialSetup, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    predictions = predict_validation(trial, outcome.kept)
    check_predictions(predictions, tiny_clips, rows_of(tiny_clips, VALIDATION_SUBJECTS), folder, outcome.kept)
    assert predictions.accuracy == pytest.approx(outcome.accuracy)


def test_test_predictions_are_those_of_the_trial_or_of_its_refit(
    trial: TrialSetup,
    outcome: TrialOutcome,
    refitted: tuple[StageResult, ...],
    tiny_clips: ClipStore,
    folder: Path,
) -> None:
    kept, rows = outcome.chain[1], rows_of(tiny_clips, TEST_SUBJECTS)
    check_predictions(predict_test(trial, kept, refitted=False), tiny_clips, rows, folder, kept)
    predictions = predict_test(trial, kept, refitted=True)
    check_predictions(predictions, tiny_clips, rows, folder, refitted[-1])
    assert predictions.accuracy == pytest.approx(evaluate_stage_on_test(trial, refitted[-1]).accuracy)


@pytest.mark.parametrize("refit_too", [False, True])
def test_levels_are_those_of_the_test_evaluation(
    trial: TrialSetup, outcome: TrialOutcome, refitted: tuple[StageResult, ...], refit_too: bool
) -> None:
    kept = outcome.chain[1]
    expected = evaluate_stage_on_test(trial, refitted[-1] if refit_too else kept)
    predictions = predict_test(trial, kept, refitted=refit_too)
    levels = (*predictions.levels, predictions)
    assert tuple(level.accuracy for level in levels) == pytest.approx(expected.stack_accuracies)
    assert tuple(level.top5_accuracy for level in levels) == pytest.approx(expected.stack_top5_accuracies)
    assert tuple(level.mean_class_accuracy for level in levels) == pytest.approx(
        expected.stack_mean_class_accuracies
    )
    assert [level.probabilities_NK.shape[1] for level in levels] == [2, 3, 6]
    some = predictions.clip_ids[3:1:-1]
    assert predictions.of(some).levels[0].labels_N.tolist() == predictions.levels[0].labels_N[3:1:-1].tolist()


@pytest.fixture(scope="module")
def folds(tiny_clips: ClipStore, folder: Path) -> TrialSetup:
    return open_tiny_trial(FOLDS, tiny_clips, folder)


@pytest.fixture(scope="module")
def folds_kept(folds: TrialSetup) -> StageResult:
    return run_trial(folds).kept


class TestFolds:
    def test_the_fold_that_held_a_clip_out_predicts_it(
        self, folds: TrialSetup, folds_kept: StageResult, tiny_clips: ClipStore, folder: Path
    ) -> None:
        predictions = predict_validation(folds, folds_kept)
        start = 0
        for index, held_out in enumerate(HELD_OUT):
            rows = rows_of(tiny_clips, held_out)
            part = predictions.of(predictions.clip_ids[start : start + len(rows)])
            check_predictions(part, tiny_clips, rows, folder, folds_kept.fold(index))
            start += len(rows)
        assert start == len(predictions.clip_ids) == len(set(predictions.clip_ids))
        # All folds have one set of superclasses.
        *levels, _ = folds_kept.hierarchy.assignments
        for level, superclasses in zip(predictions.levels, levels, strict=True):
            assert level.clip_ids == predictions.clip_ids
            assert level.labels_N.tolist() == [superclasses[k] for k in predictions.labels_N]

    def test_they_are_found_by_their_stage_keys(self, folds: TrialSetup, folds_kept: StageResult) -> None:
        result = find_kept_pass(folds, 0, folds_kept.keys)
        assert result.keys == folds_kept.keys
        assert len(result.keys) == 2


class TestKeptPass:
    def test_it_is_found_without_its_chain_and_with_other_numerics(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, tmp_path: Path
    ) -> None:
        stage = outcome.chain[1]
        shutil.copytree(folder / "prune" / stage.key, tmp_path / "prune" / stage.key)
        other = tiny_config("numerics.deterministic=false", passes=1)
        result = find_kept_pass(open_tiny_trial(other, tiny_clips, tmp_path), 1, [stage.key])
        assert result.key == stage.key
        assert result.reused
        assert [path.name for path in tmp_path.iterdir()] == ["prune"]

    def test_it_must_have_started_from_the_same_weights(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, tmp_path: Path
    ) -> None:
        """Else a refit on all training clips would be of another network."""
        stage = outcome.chain[1]
        save_file({"recognizer.conv1.weight": torch.ones(1)}, tmp_path / "other.safetensors")
        other = tiny_config(f"recognizer.start={tmp_path / 'other.safetensors'}", passes=1)
        trial = open_tiny_trial(other, tiny_clips, folder)
        with pytest.raises(InputError, match=r"must have the weights that .* got others than prune 1: name"):
            find_kept_pass(trial, 1, [stage.key])

    def test_if_it_is_missing_the_chain_is_trained_up_to_it(
        self,
        outcome: TrialOutcome,
        tiny_clips: ClipStore,
        tmp_path: Path,
        folder: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        kept = outcome.chain[1]
        shutil.copytree(folder / "pass-1", tmp_path / "pass-1")
        result = find_kept_pass(open_tiny_trial(outcome.config, tiny_clips, tmp_path), 1, [kept.key])
        assert (result.key, result.accuracy) == (kept.key, kept.accuracy)
        assert not result.reused
        assert "prune 1 is missing from" in caplog.text
        assert len(list((tmp_path / "pass-1").iterdir())) == len(list((folder / "pass-1").iterdir()))
        assert [len(list((tmp_path / kind).iterdir())) for kind in ("pass-2", "prune")] == [1, 1]
