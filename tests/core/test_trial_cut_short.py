"""A trial that is cut short and continued ends in the same bits as one that was left alone.

Training itself is cut short in training/test_interrupted_training.py, with every schedule and recognizer.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from autohier.core.trial import run_trial
from autohier.records.trial_rows import complete_row, started_row
from support.sources.tiny_clips import OVERRIDES, open_tiny_trial, tiny_config
from support.sweep_runs.whole_trials import CONFIG, run, weights_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EPOCHS = ("pass_1.epochs=2", "pass_2.epochs=2", "pruning.epochs=2")


class CutShortError(Exception):
    """Stands for a process that dies."""


class CutsShort:
    """Ends the trial after a number of epochs of one kind of stage."""

    def __init__(self, kind, after):
        self._kind, self._left = kind, after

    def on_stage_wait(self, kind, pass_index, holder):
        pass

    def on_stage_start(self, kind, pass_index, *, reused):
        pass

    def on_epoch_end(self, kind, pass_index, metrics, *, reused):  # noqa: ARG002
        self._left -= kind.name == self._kind
        if self._left == 0:
            raise CutShortError("cut short")

    def on_stage_end(self, result):
        pass


class Counts(CutsShort):
    """Counts the reported epochs."""

    def __init__(self):
        self.reported = []

    def on_epoch_end(self, kind, pass_index, metrics, *, reused):
        self.reported.append((kind.name, pass_index, metrics.epoch, reused))


def untimed(result):
    return [{**asdict(metrics), "seconds": 0, "waited_s": 0} for metrics in result.epochs]


def cut(config, clips, folder, kind, after):
    with pytest.raises(CutShortError, match="cut short"):
        run_trial(open_tiny_trial(config, clips, folder, CutsShort(kind, after)))


@pytest.mark.parametrize(
    ("clip_input", "schedule"),
    [("frames", "plateau"), ("skeletons", "one-cycle"), ("frames+heatmaps", "cosine")],
)
def test_in_every_kind_of_stage(tiny_clips, tmp_path, clip_input, schedule):
    config = tiny_config(*OVERRIDES[clip_input], *EPOCHS, f"optimisation.schedule={schedule}", passes=1)
    whole = run(config, tiny_clips, tmp_path / "whole")
    for kind in ("pass-1", "pass-2", "prune"):
        cut(config, tiny_clips, tmp_path / "cut", kind, 1)
    counts = Counts()

    continued = run_trial(open_tiny_trial(config, tiny_clips, tmp_path / "cut", counts))

    assert [stage.key for stage in continued.stages] == [stage.key for stage in whole.stages]
    for stage, undisturbed in zip(continued.stages, whole.stages, strict=True):
        assert untimed(stage) == untimed(undisturbed)
        np.testing.assert_array_equal(stage.confusion_KK, undisturbed.confusion_KK)
        expected = weights_of(tmp_path / "whole", undisturbed)
        found = weights_of(tmp_path / "cut", stage)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert len(counts.reported) == len(set(counts.reported)) == 2 * len(whole.stages)
    assert not list((tmp_path / "cut" / "partial").iterdir())


@pytest.fixture(scope="module")
def continued(tiny_clips, tmp_path_factory):
    """A trial that was cut short in pass 2 after one of two epochs, continued, and its reported epochs."""
    config, folder, counts = tiny_config(*EPOCHS, passes=1), tmp_path_factory.mktemp("stages"), Counts()
    cut(config, tiny_clips, folder, "pass-2", 1)
    return run_trial(open_tiny_trial(config, tiny_clips, folder, counts)), counts.reported


def test_no_finished_epoch_is_trained_again(continued):
    outcome, _ = continued
    assert [stage.num_restored for stage in outcome.chain] == [1, 0]
    assert outcome.epochs(reused=True) == 2 + 1
    assert outcome.epochs(reused=False) == 1 + 2
    assert outcome.seconds(reused=True) == pytest.approx(
        outcome.pass_1.seconds + sum(metrics.seconds for metrics in outcome.chain[0].epochs[:1])
    )


def test_its_record_separates_reused_epochs_from_computed_ones(continued):
    outcome, _ = continued
    row = started_row(outcome.config, trial="t", number=0, trial_index=0, source="test", at=NOON)
    row_at_end = complete_row(row, outcome, NOON)
    assert (row_at_end.epochs_reused, row_at_end.epochs_computed) == (3, 3)
    assert row_at_end.seconds_reused == pytest.approx(outcome.seconds(reused=True))
    assert row_at_end.seconds_computed == pytest.approx(outcome.seconds(reused=False))


def test_epochs_report_whether_they_were_reused(continued):
    _, reported = continued
    assert reported == [
        *(("pass-1", 0, epoch, True) for epoch in range(2)),
        *(("pass-2", 0, epoch, epoch < 1) for epoch in range(2)),
        *(("prune", 1, epoch, False) for epoch in range(2)),
    ]


def test_the_checkpoint_of_a_slower_process_is_removed(tiny_clips, trial, outcome, folder):
    left = trial.context.store.partial(outcome.pass_1.kind, outcome.pass_1.key).path
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"two epochs")

    run(CONFIG, tiny_clips, folder)
    assert not left.exists()
