"""A trial of folds: each fold is a clean trial that holds out others, and the mean over them counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.core.hierarchy import Hierarchy
from autohier.core.stages.folds import FoldedResult, FoldReporter
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome, find_flat, read_tests, run_trial, train_flat
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.records.progress import Progress
from fake_stages import Told
from tiny_clips import CLIPS_PER_SUBJECT, open_tiny_trial, tiny_setting

FOLDS = ("protocol.validation=folds", "protocol.num_folds=2")
HELD_OUT = ((1, 7), (3, 9))
"""Of the four training subjects, dealt to two folds in turn."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def outcome(tiny_clips: ClipStore, folder: Path, told: Told) -> TrialOutcome:
    return run_trial(open_tiny_trial(tiny_setting(*FOLDS, passes=1), tiny_clips, folder, told))


def folds_of(outcome: TrialOutcome) -> list[FoldedResult]:
    assert all(isinstance(stage, FoldedResult) for stage in outcome.stages)
    return [stage for stage in outcome.stages if isinstance(stage, FoldedResult)]


def test_a_fold_s_stages_are_those_of_a_clean_trial(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    pass_1, *_ = folds_of(outcome)
    for index, held_out in enumerate(HELD_OUT):
        clean = tiny_setting(f"protocol.held_out={list(held_out)}")
        found = find_flat(open_tiny_trial(clean, tiny_clips, folder))
        assert found is not None
        assert found.key == pass_1.folds[index].key
        assert found.accuracy == pass_1.folds[index].accuracy


def test_every_training_clip_is_measured_once(outcome: TrialOutcome) -> None:
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


def test_all_folds_have_the_superclasses_that_all_their_confusions_make(outcome: TrialOutcome) -> None:
    pass_1, pass_2, _ = folds_of(outcome)
    expected = Hierarchy.from_confusion(pass_1.confusion_KK, (2, 3), given={}, seed=0)
    assert [fold.hierarchy for fold in pass_2.folds] == [expected] * 2


def test_a_step_is_told_as_one_stage(outcome: TrialOutcome, told: Told) -> None:
    # Two epochs of pass 1, one of pass 2 and one of pruning, in each of two folds.
    seen = [
        (name, kind, pass_index, rest[0].epoch if name == "epoch" else None)
        for name, kind, pass_index, *rest in told.events
    ]
    expected: list[tuple[str, str, int, int | None]] = []
    for kind, pass_index, num_epochs in (("pass-1", 0, 4), ("pass-2", 0, 2), ("prune", 1, 2)):
        expected += [("started", kind, pass_index, None)]
        expected += [("epoch", kind, pass_index, epoch) for epoch in range(num_epochs)]
        expected += [("finished", kind, pass_index, None)]
    assert seen == expected
    finished = [event[-1] for event in told.events if event[0] == "finished"]
    assert finished == list(outcome.stages)
    assert [metrics.epoch for metrics in outcome.pass_1.epochs] == [0, 1, 2, 3]


def test_what_is_found_is_told_in_the_same_way(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, told: Told
) -> None:
    again = Told()
    trial = open_tiny_trial(tiny_setting(*FOLDS, passes=1), tiny_clips, folder, again)
    replayed = run_trial(trial)
    assert [stage.key for stage in replayed.stages] == [stage.key for stage in outcome.stages]
    assert replayed.accuracy == outcome.accuracy
    assert [event[:3] for event in again.events] == [event[:3] for event in told.events]
    assert all(event[-1] for event in again.events if event[0] in {"started", "epoch"})
    assert replayed.epochs(reused=False) == 0
    assert replayed.epochs(reused=True) == outcome.epochs(reused=False) == 8
    assert replayed.seconds(reused=True) == pytest.approx(sum(stage.seconds for stage in outcome.stages))
    flat = find_flat(trial)
    assert flat is not None
    assert flat.key == outcome.pass_1.key


def test_no_pass_1_is_found_where_one_fold_lacks_it(tiny_clips: ClipStore, tmp_path: Path) -> None:
    train_flat(open_tiny_trial(tiny_setting("protocol.held_out=[1, 7]"), tiny_clips, tmp_path))
    told = Told()
    trial = open_tiny_trial(tiny_setting(*FOLDS), tiny_clips, tmp_path, told)
    assert find_flat(trial) is None
    result = train_flat(trial)
    assert not result.reused
    assert result.epochs_spared == 2
    # The second fold has to be trained: that is told by telling the stage anew, and the first fold's epochs.
    assert [event[0] for event in told.events].count("started") == 2
    anew = told.events[[event[0] for event in told.events].index("started", 1) :]
    assert anew[0][-1] is False
    assert [(event[3].epoch, event[-1]) for event in anew if event[0] == "epoch"] == [
        (0, True),
        (1, True),
        (2, False),
        (3, False),
    ]


def test_a_fold_that_begins_anew_tells_all_epochs_again(outcome: TrialOutcome) -> None:
    first, second = folds_of(outcome)[0].folds
    told = Told()
    reporter = FoldReporter(told)
    reporter.stage_started("pass-1", 0, reused=False)
    for metrics in first.epochs:
        reporter.epoch_finished("pass-1", 0, metrics, reused=False)
    reporter.stage_finished(first)
    reporter.stage_started("pass-1", 0, reused=False)
    reporter.epoch_finished("pass-1", 0, second.epochs[0], reused=False)
    reporter.stage_started("pass-1", 0, reused=False)  # out of memory, and now in halves
    for metrics in second.epochs:
        reporter.epoch_finished("pass-1", 0, metrics, reused=False)
    numbers = [event[3].epoch if event[0] == "epoch" else event[0] for event in told.events]
    assert numbers == ["started", 0, 1, 2, "started", 0, 1, 2, 3]
    # What was trained stays trained, however often it is told.
    assert not any(event[-1] for event in told.events if event[0] == "epoch")


def test_what_a_trial_that_is_cut_short_spared_are_the_epochs_that_were_found(outcome: TrialOutcome) -> None:
    first, second = folds_of(outcome)[0].folds
    progress = Progress()
    reporter = FoldReporter(progress)
    for fold, reused in ((first, False), (second, True)):
        reporter.stage_started("pass-1", 0, reused=reused)
        for metrics in fold.epochs:
            reporter.epoch_finished("pass-1", 0, metrics, reused=reused)
        reporter.stage_finished(fold)
    assert progress.unfinished is not None
    assert [metrics.epoch for metrics in progress.unfinished.epochs] == [0, 1, 2, 3]
    assert [metrics.epoch for metrics in progress.unfinished.found] == [2, 3]


def test_the_rates_of_folds_are_those_of_the_one_in_the_middle(outcome: TrialOutcome) -> None:
    fold = folds_of(outcome)[0].folds[0]

    def at(*rates: float) -> StageResult:
        epochs = tuple(
            replace(metrics, learning_rate=rate) for metrics, rate in zip(fold.epochs, rates, strict=True)
        )
        return replace(fold, epochs=epochs)

    folded = FoldedResult.of([at(1e-3, 1e-5), at(1e-3, 1e-3), at(1e-3, 1e-4), at(1e-3, 1e-3)])
    # Of 1e-5, 1e-4, 1e-3, 1e-3 the lower one in the middle.
    assert folded.rates == (1e-3, 1e-4)


def test_the_test_split_is_read_by_the_refit(
    outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
) -> None:
    trial = open_tiny_trial(tiny_setting(*FOLDS, passes=1), tiny_clips, folder)
    readings = read_tests(trial, outcome)
    labels = ["pass 1, refit", "pass 2, refit", *["prune 1, refit"][: outcome.kept_pass]]
    assert [label for label, _ in readings] == labels
    assert all(evaluation.num_clips == 2 * CLIPS_PER_SUBJECT for _, evaluation in readings)


def test_more_folds_than_subjects_are_refused(tiny_clips: ClipStore, tmp_path: Path) -> None:
    setting = tiny_setting("protocol.validation=folds", "protocol.num_folds=5")
    with pytest.raises(InputError, match="num_folds must not be above the number of subjects that train, 4"):
        open_tiny_trial(setting, tiny_clips, tmp_path, Reporters())


def test_folds_choose_whom_they_hold_out() -> None:
    with pytest.raises(InputError, match="held_out is for validation = 'clean'"):
        tiny_setting(*FOLDS, "protocol.held_out=[1]")
