"""A trial that runs again counts the epochs that it trained before as its own, not those of others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.records.history import TrialHistory
from autohier.records.own_epochs import OwnEpochs, own_epochs_file
from support.fakes.fake_outcomes import fake_epoch, fake_stage


def pass_2(num_epochs: int, *, reused: bool = False, num_restored: int = 0) -> StageResult:
    epochs = tuple(fake_epoch(epoch, 60, 3) for epoch in range(num_epochs))
    return replace(fake_stage(PASS_2, 0, 60), epochs=epochs, reused=reused, num_restored=num_restored)


def run(file: Path, epochs: Sequence[bool], *, end: StageResult | None = None) -> TrialHistory:
    """Let a process of the trial train pass 2; each epoch is True if it is restored from a checkpoint."""
    history = TrialHistory(OwnEpochs(file))
    history.on_stage_start(PASS_2, 0, reused=False)
    for epoch, restored in enumerate(epochs):
        history.on_epoch_end(PASS_2, 0, fake_epoch(epoch, 60, 3), reused=restored)
    if end is not None:
        history.on_stage_end(end)
    return history


def test_restored_epochs_of_an_earlier_process_are_own(tmp_path: Path) -> None:
    file = own_epochs_file(tmp_path, "t0007")
    assert file == tmp_path / "own-epochs" / "t0007.txt"
    run(file, [False, False, False])  # and is killed
    history = run(file, [True] * 3 + [False] * 2, end=pass_2(5, num_restored=3))
    (stage,) = history.stages
    assert (stage.epochs_reused, stage.seconds_reused, stage.reused) == (0, 0, False)


def test_a_finished_stage_of_an_earlier_process_is_own(tmp_path: Path) -> None:
    run(tmp_path / "a", [False] * 5, end=pass_2(5))  # and is killed in the next stage
    history = TrialHistory(OwnEpochs(tmp_path / "a"))
    history.on_stage_start(PASS_2, 0, reused=True)
    for epoch in range(5):
        history.on_epoch_end(PASS_2, 0, fake_epoch(epoch, 60, 3), reused=True)
    assert history.unfinished is not None
    assert history.unfinished.reused_epochs == ()
    history.on_stage_end(pass_2(5, reused=True))
    assert history.stages[0].epochs_reused == 0
    assert len((tmp_path / "a").read_text().splitlines()) == 7  # a reused stage adds no line


def test_epochs_of_other_trials_stay_reused(tmp_path: Path) -> None:
    # Another trial left a checkpoint of 2 epochs; this one trained 2 more, and a third one the last.
    run(tmp_path / "a", [True, True, False, False])
    own = OwnEpochs(tmp_path / "a")
    # The fifth may be its own: it trained it when it was killed.
    assert [own.has(PASS_2, 0, epoch) for epoch in range(6)] == [False, False, True, True, True, False]
    assert own.credit(pass_2(6, reused=True)).epochs_reused == 3
    assert own.credit(pass_2(6, num_restored=2)).epochs_reused == 2
    assert not any(own.has(kind, 0, 2) for kind in (PASS_1, PRUNE))
    assert not own.has(PASS_2, 1, 2)


def test_the_checkpoint_may_be_ahead_of_the_notes(tmp_path: Path) -> None:
    # Killed after the checkpoint of its second epoch, before its note; or before any note.
    run(tmp_path / "a", [False])
    assert OwnEpochs(tmp_path / "a").credit(pass_2(3, num_restored=2)).epochs_reused == 0
    run(tmp_path / "b", [])
    assert OwnEpochs(tmp_path / "b").credit(pass_2(3, num_restored=1)).epochs_reused == 0
    # A finished stage has all its notes.
    run(tmp_path / "c", [False], end=pass_2(1))
    assert not OwnEpochs(tmp_path / "c").has(PASS_2, 0, 1)


def test_folds_are_credited_one_by_one(tmp_path: Path) -> None:
    # The trial trained the first fold and, when it was killed, the first epoch of the second; another trial
    # trained the rest.
    run(tmp_path / "a", [False] * 2)
    folds = [pass_2(2, reused=True) for _ in range(3)]
    folded = OwnEpochs(tmp_path / "a").credit(FoldedResult.of(folds))
    assert isinstance(folded, FoldedResult)
    assert [fold.epochs_reused for fold in folded.folds] == [0, 1, 2]
    assert (folded.epochs_reused, len(folded.epochs)) == (3, 6)


def test_damaged_notes_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(
        b"own pass-2 0 0\nown pass-2 0 x\n\xff\nown\n\nstarted pass-2\nown pass-2 0 1"
    )
    own = OwnEpochs(tmp_path / "a")
    assert [own.has(PASS_2, 0, epoch) for epoch in range(3)] == [True, True, False]


def test_notes_that_cannot_be_written_end_no_trial(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    run(tmp_path / "file" / "a", [False], end=pass_2(1))
    assert "cannot note the epochs of a trial" in caplog.text


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_something_else_in_place_of_the_notes_ends_no_trial(
    tmp_path: Path, put: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = own_epochs_file(tmp_path, "t0000")
    path.parent.mkdir()
    put(path)
    notes = OwnEpochs(path)
    notes.note_start(PASS_1, 0)
    assert not notes.has(PASS_1, 0, 0)
    assert "cannot read the epochs" in caplog.text
    assert "cannot note the epochs" in caplog.text
