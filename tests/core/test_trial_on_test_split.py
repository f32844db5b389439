"""Evaluation of a chosen trial and of its refit on the test split."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import (
    TrialOutcome,
    evaluate_on_test,
    evaluate_stage_on_test,
    refit,
    run_trial,
    to_refit,
)
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import (
    CLIPS_PER_SUBJECT,
    TEST_SUBJECTS,
    TRAINING_SUBJECTS,
    VALIDATION_SUBJECTS,
    open_tiny_trial,
    tiny_config,
)
from support.sweep_runs.whole_trials import (
    probabilities_by_hand,
    rebuilt,
    weights_of,
)


class TestEvaluationOnTest:
    def test_results_are_those_of_the_stored_weights(
        self, trial: TrialSetup, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        rows = np.flatnonzero(np.isin(tiny_clips.clips.subject, TEST_SUBJECTS))
        weights = {"pass-1": (1.0,), "pass-2": (1 / 4, 1 / 2, 1.0), "prune": (1 / 4, 1 / 2, 1.0)}
        for result in (outcome.pass_1, outcome.chain[0], outcome.chain[-1]):
            network = rebuilt(result, weights_of(folder, result))
            confusion_KK, loss = np.zeros((6, 6), dtype=int), 0.0
            num_right = np.zeros(len(result.hierarchy.assignments))
            for row, stacks in zip(rows, probabilities_by_hand(network, tiny_clips, rows), strict=True):
                label = tiny_clips.clips.label[row]
                confusion_KK[label, stacks[-1].argmax()] += 1
                for stack, assignment_K in enumerate(result.hierarchy.assignments):
                    num_right[stack] += stacks[stack].argmax() == assignment_K[label]
                    loss -= weights[result.kind.name][stack] * np.log(stacks[stack][assignment_K[label]])
            evaluation = evaluate_stage_on_test(trial, result)
            assert evaluation.confusion_KK.tolist() == confusion_KK.tolist()
            assert evaluation.stack_accuracies == pytest.approx(num_right / len(rows))
            assert evaluation.loss == pytest.approx(loss / len(rows), rel=1e-3)
            assert evaluation.num_clips == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT

    def test_it_is_repeatable_and_leaves_the_store_unchanged(
        self, trial: TrialSetup, outcome: TrialOutcome, folder: Path
    ) -> None:
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        first, second = (evaluate_stage_on_test(trial, outcome.kept) for _ in range(2))
        assert (first.loss, first.stack_accuracies) == (second.loss, second.stack_accuracies)
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


class TestRefit:
    def test_it_runs_the_kept_passes_with_the_superclasses_of_the_trial(
        self, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        assert [stage.label for stage in refitted] == ["pass 1", "pass 2", "prune 1"]
        assert {stage.hierarchy for stage in refitted[1:]} == {outcome.chain[0].hierarchy}

    def test_it_trains_on_the_validation_clips_but_on_no_test_clip(
        self, trial: TrialSetup, refitted: tuple[StageResult, ...], tiny_clips: ClipStore
    ) -> None:
        split, subject = trial.with_all_training_clips().data_loader.split, tiny_clips.clips.subject
        assert sorted(set(subject[split.train])) == sorted(TRAINING_SUBJECTS + VALIDATION_SUBJECTS)
        assert len(split.train) == len(set(split.train)) == 4 * CLIPS_PER_SUBJECT
        assert set(subject[split.test]) == set(TEST_SUBJECTS)
        assert {epoch.num_clips for stage in refitted for epoch in stage.epochs} == {4 * CLIPS_PER_SUBJECT}

    def test_its_stages_have_keys_of_their_own(
        self, trial: TrialSetup, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        assert not {stage.key for stage in refitted} & {stage.key for stage in outcome.stages}
        assert all(stage.reused for stage in refit(to_refit(trial, outcome.chain[1]), outcome.chain[1]))
        assert [stage.key for stage in run_trial(trial).stages] == [stage.key for stage in outcome.stages]

    def test_its_learning_rates_are_those_of_the_trial(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        # At this high learning rate the validation loss rises at times, and each rise halves the rate.
        high_rate = (
            "optimisation.learning_rate=0.03",
            "optimisation.lr_patience=1",
            "optimisation.lr_factor=0.5",
        )
        more_epochs = ("pass_1.epochs=3", "pass_2.epochs=4", "pruning.epochs=1")
        trial = open_tiny_trial(tiny_config(*high_rate, *more_epochs, passes=1), tiny_clips, tmp_path)
        outcome = run_trial(trial)
        assert all(stage.rates == stage.fold(0).rates for stage in outcome.stages)
        assert len({rate for stage in outcome.stages for rate in stage.rates}) > 1
        recorder = RecordingCallback()
        everything = to_refit(trial.with_callback(recorder), outcome.chain[1])
        assert recorder.events == []
        refitted = refit(everything, outcome.chain[1])
        assert [stage.rates for stage in refitted] == [stage.rates for stage in outcome.stages]
        # A schedule that does not follow validation computes the rates itself.
        cosine = open_tiny_trial(tiny_config("optimisation.schedule=cosine"), tiny_clips, tmp_path)
        assert to_refit(cosine, outcome.chain[1]).rates == ()

    def test_the_unpruned_pass_may_be_the_kept_one(self, trial: TrialSetup, outcome: TrialOutcome) -> None:
        stages = refit(to_refit(trial, outcome.chain[0]), outcome.chain[0])
        assert [stage.label for stage in stages] == ["pass 1", "pass 2"]

    def test_its_accuracies_on_validation_clips_are_reported_as_nan(
        self, trial: TrialSetup, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        recorder = RecordingCallback()
        refit(to_refit(trial.with_callback(recorder), outcome.chain[1]), outcome.chain[1])
        accuracies = [event[3].accuracy for event in recorder.events if event[0] in ("epoch", "finished")]
        assert len(accuracies) == sum(len(stage.epochs) + 1 for stage in refitted)
        assert all(math.isnan(accuracy) for accuracy in accuracies)

    def test_its_stages_are_evaluated_after_those_of_the_trial(
        self, trial: TrialSetup, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        test_results = evaluate_on_test(trial, replace(outcome, kept_pass=1))
        names = [f"{stage}{note}" for note in ("", ", refit") for stage in ("pass 1", "pass 2", "prune 1")]
        assert [name for name, _ in test_results] == names
        for (_, evaluation), stage in zip(test_results, (*outcome.stages[:3], *refitted), strict=True):
            assert (
                evaluation.confusion_KK.tolist() == evaluate_stage_on_test(trial, stage).confusion_KK.tolist()
            )
            assert evaluation.num_clips == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT

    def test_only_the_kept_pruning_pass_is_evaluated(self, trial: TrialSetup, outcome: TrialOutcome) -> None:
        for kept_pass, names in ((0, ["pass 1", "pass 2"]), (2, ["pass 1", "pass 2", "prune 2"])):
            test_results = evaluate_on_test(trial, replace(outcome, kept_pass=kept_pass))
            assert [name for name, _ in test_results] == [*names, *(f"{name}, refit" for name in names)]
