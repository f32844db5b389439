"""Reading the test split for a chosen trial, as it is and refit on all training clips."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome, read_test, read_tests, refit, run_trial, to_refit
from autohier.data.store.reader import ClipStore
from fake_stages import Told
from tiny_clips import (
    CLIPS_PER_SUBJECT,
    TEST_SUBJECTS,
    TRAINING_SUBJECTS,
    VALIDATION_SUBJECTS,
    open_tiny_trial,
    tiny_setting,
)
from whole_trials import (
    probabilities_by_hand,
    rebuilt,
    weights_of,
)


class TestReadingTheTestSplit:
    def test_it_is_what_the_stored_weights_score_on_it(
        self, trial: OpenTrial, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
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
                    loss -= weights[result.kind][stack] * np.log(stacks[stack][assignment_K[label]])
            evaluation = read_test(trial, result)
            assert evaluation.confusion_KK.tolist() == confusion_KK.tolist()
            assert evaluation.stack_accuracies == pytest.approx(num_right / len(rows))
            assert evaluation.loss == pytest.approx(loss / len(rows), rel=1e-3)
            assert evaluation.num_clips == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT

    def test_it_tells_nothing_and_changes_nothing(
        self, trial: OpenTrial, outcome: TrialOutcome, folder: Path
    ) -> None:
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        first, second = (read_test(trial, outcome.kept) for _ in range(2))
        assert (first.loss, first.stack_accuracies) == (second.loss, second.stack_accuracies)
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


class TestRefit:
    def test_it_runs_the_kept_passes_with_the_superclasses_that_were_chosen(
        self, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        assert [stage.label for stage in refitted] == ["pass 1", "pass 2", "prune 1"]
        assert {stage.hierarchy for stage in refitted[1:]} == {outcome.chain[0].hierarchy}

    def test_it_trains_on_the_validation_clips_too_and_on_no_test_clip(
        self, trial: OpenTrial, refitted: tuple[StageResult, ...], tiny_clips: ClipStore
    ) -> None:
        split, subject = trial.with_all_training_clips().feed.split, tiny_clips.clips.subject
        assert sorted(set(subject[split.train])) == sorted(TRAINING_SUBJECTS + VALIDATION_SUBJECTS)
        assert len(split.train) == len(set(split.train)) == 4 * CLIPS_PER_SUBJECT
        assert set(subject[split.test]) == set(TEST_SUBJECTS)
        assert {epoch.num_clips for stage in refitted for epoch in stage.epochs} == {4 * CLIPS_PER_SUBJECT}

    def test_it_is_kept_apart_from_the_trial_s_own_stages(
        self, trial: OpenTrial, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        assert not {stage.key for stage in refitted} & {stage.key for stage in outcome.stages}
        assert all(stage.reused for stage in refit(to_refit(trial, outcome.chain[1]), outcome.chain[1]))
        assert [stage.key for stage in run_trial(trial).stages] == [stage.key for stage in outcome.stages]

    def test_its_rates_are_those_that_validation_brought_about(
        self, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        # At so high a rate the validation loss rises now and then, and each time the rate is halved.
        hasty = (
            "optimisation.learning_rate=0.03",
            "optimisation.lr_patience=1",
            "optimisation.lr_factor=0.5",
        )
        longer = ("pass_1.epochs=4", "pass_2.epochs=4", "pruning.epochs=3")
        trial = open_tiny_trial(tiny_setting(*hasty, *longer, passes=1), tiny_clips, tmp_path)
        outcome = run_trial(trial)
        assert all(stage.rates == stage.fold(0).rates for stage in outcome.stages)
        assert len({rate for stage in outcome.stages for rate in stage.rates}) > 1
        told = Told()
        everything = to_refit(replace(trial, context=replace(trial.context, reporter=told)), outcome.chain[1])
        assert told.events == []
        refitted = refit(everything, outcome.chain[1])
        assert [stage.rates for stage in refitted] == [stage.rates for stage in outcome.stages]
        # What follows no validation needs no other's rates.
        steady = open_tiny_trial(tiny_setting("optimisation.schedule=cosine"), tiny_clips, tmp_path)
        assert to_refit(steady, outcome.chain[1]).rates == ()

    def test_the_unpruned_pass_may_be_the_kept_one(self, trial: OpenTrial, outcome: TrialOutcome) -> None:
        stages = refit(to_refit(trial, outcome.chain[0]), outcome.chain[0])
        assert [stage.label for stage in stages] == ["pass 1", "pass 2"]

    def test_its_accuracies_on_clips_that_it_trained_on_are_told_to_nobody(
        self, trial: OpenTrial, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        told = Told()
        heard_trial = replace(trial, context=replace(trial.context, reporter=told))
        refit(to_refit(heard_trial, outcome.chain[1]), outcome.chain[1])
        heard = [event[3].accuracy for event in told.events if event[0] in ("epoch", "finished")]
        assert len(heard) == sum(len(stage.epochs) + 1 for stage in refitted)
        assert all(math.isnan(accuracy) for accuracy in heard)

    def test_its_stages_are_read_on_the_test_split_beside_the_trial_s_own(
        self, trial: OpenTrial, outcome: TrialOutcome, refitted: tuple[StageResult, ...]
    ) -> None:
        readings = read_tests(trial, replace(outcome, kept_pass=1))
        names = [f"{stage}{note}" for note in ("", ", refit") for stage in ("pass 1", "pass 2", "prune 1")]
        assert [name for name, _ in readings] == names
        for (_, reading), stage in zip(readings, (*outcome.stages[:3], *refitted), strict=True):
            assert reading.confusion_KK.tolist() == read_test(trial, stage).confusion_KK.tolist()
            assert reading.num_clips == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT

    def test_of_many_passes_the_kept_one_is_read(self, trial: OpenTrial, outcome: TrialOutcome) -> None:
        for kept_pass, names in ((0, ["pass 1", "pass 2"]), (2, ["pass 1", "pass 2", "prune 2"])):
            readings = read_tests(trial, replace(outcome, kept_pass=kept_pass))
            assert [name for name, _ in readings] == [*names, *(f"{name}, refit" for name in names)]
