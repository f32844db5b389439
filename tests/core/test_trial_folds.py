"""Cross-validated trials: each fold is a clean trial, and the mean over the folds is the accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.core.hierarchy import Hierarchy
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.cross_validation import FoldCallback, FoldedResult
from autohier.core.stages.kinds.hac import PASS_1
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome, evaluate_on_test, find_pass_1, run_trial, train_pass_1
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.records.history import TrialHistory
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import CLIPS_PER_SUBJECT, open_tiny_trial, tiny_config

FOLDS = ("protocol.validation=folds", "protocol.num_folds=2")
HELD_OUT = ((1, 7), (3, 9))
"""Subjects that each fold holds out: the four training subjects, assigned to the two folds in turn."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def recorder() -> RecordingCallback:
    return RecordingCallback()


@pytest.fixture(scope="module")
def outcome(tiny_clips: ClipStore, folder: Path, recorder: RecordingCallback) -> TrialOutcome:
    return run_trial(open_tiny_trial(tiny_config(*FOLDS, passes=1), tiny_clips, folder, recorder))


def folds_of(outcome: TrialOutcome) -> list[FoldedResult]:
    assert all(isinstance(stage, FoldedResult) for stage in outcome.stages)
    return [stage for stage in outcome.stages if isinstance(stage, FoldedResult)]


def test_the_stages_of_a_fold_are_those_of_a_clean_trial(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    pass_1, *_ = folds_of(outcome)
    for index, held_out in enumerate(HELD_OUT):
        clean = tiny_config(f"protocol.held_out={list(held_out)}")
        cached = find_pass_1(open_tiny_trial(clean, tiny_clips, folder))
        assert cached is not None
        assert cached.key == pass_1.folds[index].key
        assert cached.accuracy == pass_1.folds[index].accuracy


def test_every_training_clip_is_validated_once(outcome: TrialOutcome) -> None:
    for stage in folds_of(outcome):
        assert int(stage.confusion_KK.sum()) == 4 * CLIPS_PER_SUBJECT
        assert (
            stage.confusion_KK.tolist()
            == np.sum([fold.confusion_KK for fold in stage.folds], axis=0).tolist()
        )
        assert stage.accuracy == pytest.approx(np.mean([fold.accuracy for fold in stage.folds]))
        assert stage.cost.parameters == max(fold.cost.parameters for fold in stage.folds)
        assert stage.keys == tuple(fold.key for fold in stage.folds)
        assert len(set(stage.keys)) == 2


def test_all_folds_share_the_superclasses_of_the_summed_confusion(outcome: TrialOutcome) -> None:
    pass_1, pass_2, _ = folds_of(outcome)
    expected = Hierarchy.from_confusion(pass_1.confusion_KK, (2, 3), given={}, seed=0)
    assert [fold.hierarchy for fold in pass_2.folds] == [expected] * 2


def test_the_folds_are_reported_as_one_stage(outcome: TrialOutcome, recorder: RecordingCallback) -> None:
    # Two epochs of pass 1, one of pass 2 and one of pruning, in each of two folds.
    reported = [
        (name, kind, pass_index, rest[0].epoch if name == "epoch" else None)
        for name, kind, pass_index, *rest in recorder.events
    ]
    expected: list[tuple[str, str, int, int | None]] = []
    for kind, pass_index, num_epochs in (("pass-1", 0, 4), ("pass-2", 0, 2), ("prune", 1, 2)):
        expected += [("started", kind, pass_index, None)]
        expected += [("epoch", kind, pass_index, epoch) for epoch in range(num_epochs)]
        expected += [("finished", kind, pass_index, None)]
    assert reported == expected
    finished = [event[-1] for event in recorder.events if event[0] == "finished"]
    assert finished == list(outcome.stages)
    assert [metrics.epoch for metrics in outcome.pass_1.epochs] == [0, 1, 2, 3]


def test_reused_stages_are_reported_in_the_same_way(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, recorder: RecordingCallback
) -> None:
    again = RecordingCallback()
    trial = open_tiny_trial(tiny_config(*FOLDS, passes=1), tiny_clips, folder, again)
    replayed = run_trial(trial)
    assert [stage.key for stage in replayed.stages] == [stage.key for stage in outcome.stages]
    assert replayed.accuracy == outcome.accuracy
    assert [event[:3] for event in again.events] == [event[:3] for event in recorder.events]
    assert all(event[-1] for event in again.events if event[0] in {"started", "epoch"})
    assert replayed.epochs(reused=False) == 0
    assert replayed.epochs(reused=True) == outcome.epochs(reused=False) == 8
    assert replayed.seconds(reused=True) == pytest.approx(sum(stage.seconds for stage in outcome.stages))
    flat = find_pass_1(trial)
    assert flat is not None
    assert flat.key == outcome.pass_1.key


def test_pass_1_is_not_found_if_one_fold_lacks_it(tiny_clips: ClipStore, tmp_path: Path) -> None:
    train_pass_1(open_tiny_trial(tiny_config("protocol.held_out=[1, 7]"), tiny_clips, tmp_path))
    recorder = RecordingCallback()
    trial = open_tiny_trial(tiny_config(*FOLDS), tiny_clips, tmp_path, recorder)
    assert find_pass_1(trial) is None
    result = train_pass_1(trial)
    assert not result.reused
    assert result.epochs_reused == 2
    # The second fold is trained: the stage is reported again as not reused, with the first fold's epochs.
    assert [event[0] for event in recorder.events].count("started") == 2
    restarted = recorder.events[[event[0] for event in recorder.events].index("started", 1) :]
    assert restarted[0][-1] is False
    assert [(event[3].epoch, event[-1]) for event in restarted if event[0] == "epoch"] == [
        (0, True),
        (1, True),
        (2, False),
        (3, False),
    ]


def test_a_fold_that_restarts_reports_all_epochs_again(outcome: TrialOutcome) -> None:
    first, second = folds_of(outcome)[0].folds
    recorder = RecordingCallback()
    callback = FoldCallback(recorder)
    callback.on_stage_start(PASS_1, 0, reused=False)
    for metrics in first.epochs:
        callback.on_epoch_end(PASS_1, 0, metrics, reused=False)
    callback.on_stage_end(first)
    callback.on_stage_start(PASS_1, 0, reused=False)
    callback.on_epoch_end(PASS_1, 0, second.epochs[0], reused=False)
    callback.on_stage_start(PASS_1, 0, reused=False)  # restarts in two micro-batches after out of memory
    for metrics in second.epochs:
        callback.on_epoch_end(PASS_1, 0, metrics, reused=False)
    numbers = [event[3].epoch if event[0] == "epoch" else event[0] for event in recorder.events]
    assert numbers == ["started", 0, 1, 2, "started", 0, 1, 2, 3]
    # Epochs that this process trained are never reported as reused.
    assert not any(event[-1] for event in recorder.events if event[0] == "epoch")


def test_the_history_of_an_unfinished_stage_counts_its_reused_epochs(outcome: TrialOutcome) -> None:
    first, second = folds_of(outcome)[0].folds
    history = TrialHistory()
    callback = FoldCallback(history)
    for fold, reused in ((first, False), (second, True)):
        callback.on_stage_start(PASS_1, 0, reused=reused)
        for metrics in fold.epochs:
            callback.on_epoch_end(PASS_1, 0, metrics, reused=reused)
        callback.on_stage_end(fold)
    assert history.unfinished is not None
    assert [metrics.epoch for metrics in history.unfinished.epochs] == [0, 1, 2, 3]
    assert [metrics.epoch for metrics in history.unfinished.reused_epochs] == [2, 3]


def test_the_learning_rate_of_folds_is_their_lower_median(outcome: TrialOutcome) -> None:
    fold = folds_of(outcome)[0].folds[0]

    def with_rates(*rates: float) -> StageResult:
        epochs = tuple(
            replace(metrics, learning_rate=rate) for metrics, rate in zip(fold.epochs, rates, strict=True)
        )
        return replace(fold, epochs=epochs)

    folded = FoldedResult.of([with_rates(1e-3, rate) for rate in (1e-5, 1e-3, 1e-4, 1e-3)])
    # The lower median of 1e-5, 1e-4, 1e-3 and 1e-3 is 1e-4.
    assert folded.rates == (1e-3, 1e-4)


def test_the_test_split_is_evaluated_with_the_refit(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    trial = open_tiny_trial(tiny_config(*FOLDS, passes=1), tiny_clips, folder)
    test_results = evaluate_on_test(trial, outcome)
    labels = ["pass 1, refit", "pass 2, refit", *["prune 1, refit"][: outcome.kept_pass]]
    assert [label for label, _ in test_results] == labels
    assert all(evaluation.num_clips == 2 * CLIPS_PER_SUBJECT for _, evaluation in test_results)


def test_more_folds_than_subjects_are_refused(tiny_clips: ClipStore, tmp_path: Path) -> None:
    config = tiny_config("protocol.validation=folds", "protocol.num_folds=5")
    with pytest.raises(InputError, match="num_folds must not be above the number of subjects that train, 4"):
        open_tiny_trial(config, tiny_clips, tmp_path, CallbackList())


def test_held_out_subjects_cannot_be_chosen_with_folds() -> None:
    with pytest.raises(InputError, match="held_out needs validation = 'clean'"):
        tiny_config(*FOLDS, "protocol.held_out=[1]")
