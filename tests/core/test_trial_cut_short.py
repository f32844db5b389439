"""A trial that is cut short and continued ends in the same bits as one that was left alone."""

from __future__ import annotations

import errno
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from autohier.core.training import checkpoint
from autohier.core.trial import run_trial
from autohier.records.rows import begun_row, complete_row
from tiny_clips import FORMS, open_tiny_trial, tiny_setting
from whole_trials import run, weights_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EPOCHS = ("pass_1.epochs=4", "pass_2.epochs=4", "pruning.epochs=4")


class CutShortError(Exception):
    """Stands for a process that dies."""


class CutsShort:
    """Ends the trial after a number of epochs of one kind of stage."""

    def __init__(self, kind, after):
        self._kind, self._left = kind, after

    def stage_waits(self, kind, pass_index, holder):
        pass

    def stage_started(self, kind, pass_index, *, reused):
        pass

    def epoch_finished(self, kind, pass_index, metrics, *, reused):  # noqa: ARG002
        self._left -= kind == self._kind
        if self._left == 0:
            raise CutShortError("cut short")

    def stage_finished(self, result):
        pass


class Counts(CutsShort):
    """Counts the epochs that are told."""

    def __init__(self):
        self.told = []

    def epoch_finished(self, kind, pass_index, metrics, *, reused):
        self.told.append((kind, pass_index, metrics.epoch, reused))


def untimed(result):
    return [{**asdict(metrics), "seconds": 0} for metrics in result.epochs]


def cut(setting, clips, folder, kind, after):
    with pytest.raises(CutShortError, match="cut short"):
        run_trial(open_tiny_trial(setting, clips, folder, CutsShort(kind, after)))


@pytest.mark.parametrize(
    ("form", "schedule"),
    [
        ("frames", "plateau"),
        ("frames", "cosine"),
        ("frames", "one-cycle"),
        ("skeletons", "one-cycle"),
        ("heatmaps", "plateau"),
    ],
)
def test_in_every_kind_of_stage(tiny_clips, tmp_path, form, schedule):
    setting = tiny_setting(*FORMS[form], *EPOCHS, f"optimisation.schedule={schedule}", passes=1)
    whole = run(setting, tiny_clips, tmp_path / "whole")
    for kind in ("pass-1", "pass-2", "prune"):
        cut(setting, tiny_clips, tmp_path / "cut", kind, 2)
    counts = Counts()

    continued = run_trial(open_tiny_trial(setting, tiny_clips, tmp_path / "cut", counts))

    assert [stage.key for stage in continued.stages] == [stage.key for stage in whole.stages]
    for stage, undisturbed in zip(continued.stages, whole.stages, strict=True):
        assert untimed(stage) == untimed(undisturbed)
        np.testing.assert_array_equal(stage.confusion_KK, undisturbed.confusion_KK)
        expected = weights_of(tmp_path / "whole", undisturbed)
        found = weights_of(tmp_path / "cut", stage)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert len(counts.told) == len(set(counts.told)) == 4 * len(whole.stages)
    assert not list((tmp_path / "cut" / "partial").iterdir())


def test_no_finished_epoch_is_trained_again(tiny_clips, tmp_path):
    setting = tiny_setting(*EPOCHS)
    cut(setting, tiny_clips, tmp_path, "pass-2", 3)

    continued = run(setting, tiny_clips, tmp_path)

    num_pruned = 4 * (len(continued.chain) - 1)
    assert [stage.num_restored for stage in continued.chain[:2]] == [3, 0]
    assert continued.epochs(reused=True) == 4 + 3
    assert continued.epochs(reused=False) == 1 + num_pruned
    assert continued.seconds(reused=True) == pytest.approx(
        continued.pass_1.seconds + sum(metrics.seconds for metrics in continued.chain[0].epochs[:3])
    )
    row = begun_row(setting, trial="t", number=0, ask=0, source="test", at=NOON)
    told = complete_row(row, continued, NOON)
    assert (told.epochs_spared, told.epochs_computed) == (7, 1 + num_pruned)
    assert told.seconds_spared == pytest.approx(continued.seconds(reused=True))
    assert told.seconds_computed == pytest.approx(continued.seconds(reused=False))


def test_epochs_say_whether_they_were_found(tiny_clips, tmp_path):
    setting = tiny_setting(*EPOCHS, passes=0)
    cut(setting, tiny_clips, tmp_path, "pass-2", 3)
    counts = Counts()

    run_trial(open_tiny_trial(setting, tiny_clips, tmp_path, counts))

    assert counts.told == [
        *(("pass-1", 0, epoch, True) for epoch in range(4)),
        *(("pass-2", 0, epoch, epoch < 3) for epoch in range(4)),
    ]


def test_a_damaged_checkpoint_is_told_of_and_its_stage_begins_anew(tiny_clips, tmp_path, caplog):
    setting = tiny_setting(*EPOCHS)
    whole = run(setting, tiny_clips, tmp_path / "whole")
    cut(setting, tiny_clips, tmp_path / "cut", "pass-1", 2)
    (path,) = (tmp_path / "cut" / "partial").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    continued = run(setting, tiny_clips, tmp_path / "cut")

    assert continued.pass_1.num_restored == 0
    assert untimed(continued.pass_1) == untimed(whole.pass_1)
    assert "must match its digest; its stage begins anew" in caplog.text


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(tiny_clips, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_atomically", refuse)
    outcome = run(tiny_setting(passes=0), tiny_clips, tmp_path)

    assert len(outcome.pass_1.epochs) == 2
    assert "epoch 1 could not be kept" in caplog.text
    assert "No space left on device" in caplog.text


def test_a_checkpoint_of_another_network_is_told_of_and_not_used(tiny_clips, tmp_path, caplog):
    setting = tiny_setting(*EPOCHS)
    cut(setting, tiny_clips, tmp_path / "cut", "pass-1", 2)
    cut(tiny_setting(*EPOCHS, "recognizer.width=0.25"), tiny_clips, tmp_path / "wide", "pass-1", 2)
    (path,) = (tmp_path / "cut" / "partial").iterdir()
    (other,) = (tmp_path / "wide" / "partial").iterdir()
    path.write_bytes(other.read_bytes())

    assert run(setting, tiny_clips, tmp_path / "cut").pass_1.num_restored == 0
    assert "has another form; its stage begins anew" in caplog.text


def test_a_slower_process_leaves_no_checkpoint_behind(tiny_clips, tmp_path):
    setting = tiny_setting(*EPOCHS, passes=0)
    cut(setting, tiny_clips, tmp_path, "pass-1", 2)
    (path,) = (tmp_path / "partial").iterdir()
    left = path.read_bytes()
    run(setting, tiny_clips, tmp_path)
    path.write_bytes(left)

    run(setting, tiny_clips, tmp_path)
    assert not path.exists()
