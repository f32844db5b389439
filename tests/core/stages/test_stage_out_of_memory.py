"""A stage that runs out of memory is run once more, each batch in two halves, under another key."""

from __future__ import annotations

import json
import logging
import weakref

import pytest
import torch

from autohier.core.failures import failure_class
from autohier.core.trial import run_trial, train_flat
from autohier.errors import OutOfMemoryError
from autohier.models.hierarchical import HierarchicalRecognizer
from fake_stages import Told
from tiny_clips import open_tiny_trial, tiny_setting

SETTING = tiny_setting(passes=1)
"""Batches of 12 clips, six of them an epoch; two epochs of pass 1."""


def no_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Memory:
    """Holds the activations of a few clips, as far as the recognizer's forward pass goes.

    ``patience`` batches beyond it are let through first.
    """

    def __init__(self, monkeypatch, max_clips, *, patience=0, error=no_memory):
        self.max_clips, self.patience = max_clips, patience
        self.error = error
        self.refused, self.refused_networks = [], []
        self._forward = HierarchicalRecognizer.forward
        memory = self

        def forward(network, clips_BCTHW):
            memory.check(network, len(clips_BCTHW))
            return memory._forward(network, clips_BCTHW)

        monkeypatch.setattr(HierarchicalRecognizer, "forward", forward)

    def check(self, network, num_clips):
        # Another network must find the memory free that the refused one took.
        others = [each() for each in self.refused_networks if each() is not network]
        assert not any(others), "a network that was given up is still held"
        if num_clips > self.max_clips:
            if self.patience == 0:
                self.refused.append(num_clips)
                self.refused_networks.append(weakref.ref(network))
                raise self.error()
            self.patience -= 1


def numerics_of(folder, result):
    told = json.loads((folder / result.kind / result.key / "stage.json").read_text())["told"]
    return told["inputs"]["basis"]["numerics"]


def test_every_stage_is_run_once_more_under_another_key(tiny_clips, tmp_path, monkeypatch, caplog):
    whole = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path / "whole"))
    memory = Memory(monkeypatch, 6)

    outcome = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path / "halved"))

    assert memory.refused == [12, 12, 12]
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1"]
    assert not {stage.key for stage in outcome.stages} & {stage.key for stage in whole.stages}
    assert [stage.parent_key for stage in outcome.stages[1:]] == [s.key for s in outcome.stages[:-1]]
    for halved, ours in zip(outcome.stages, whole.stages, strict=True):
        numerics = numerics_of(tmp_path / "whole", ours)
        assert "micro_batches" not in numerics
        assert numerics_of(tmp_path / "halved", halved) == numerics | {"micro_batches": "2"}
    assert "pass 1 ran out of memory: OutOfMemoryError: CUDA out of memory" in caplog.text
    assert caplog.text.count("(12 of 12 clips at a time)") == 3
    assert caplog.text.count("ran out of memory") == 3


def test_a_stage_that_is_there_in_halves_is_taken(tiny_clips, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        Memory(patch, 6)
        halved = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path))

    found = run_trial(open_tiny_trial(SETTING, tiny_clips, tmp_path))

    assert [stage.key for stage in found.stages] == [stage.key for stage in halved.stages]
    assert all(stage.reused for stage in found.stages)


def test_a_stage_that_is_there_whole_comes_first(tiny_clips, tmp_path, monkeypatch):
    whole = train_flat(open_tiny_trial(SETTING, tiny_clips, tmp_path))
    memory = Memory(monkeypatch, 6)
    assert train_flat(open_tiny_trial(SETTING, tiny_clips, tmp_path)).key == whole.key
    assert not memory.refused


def test_epochs_of_the_first_try_are_told_anew_and_not_continued(tiny_clips, tmp_path, monkeypatch):
    # An epoch takes six batches of training and two of validation.
    Memory(monkeypatch, 6, patience=9)
    told = Told()

    result = train_flat(open_tiny_trial(SETTING, tiny_clips, tmp_path, told))

    assert [event[0] for event in told.events] == [
        "started",
        "epoch",
        "started",
        "epoch",
        "epoch",
        "finished",
    ]
    epochs = [event[3] for event in told.events if event[0] == "epoch"]
    assert tuple(epochs[1:]) == result.epochs
    assert epochs[0].loss != epochs[1].loss  # batch norm sees other statistics
    assert result.num_restored == 0
    # What was trained of the other stage stays: a process with more memory may go on with it.
    assert [path.name.startswith("pass-1-") for path in (tmp_path / "partial").iterdir()] == [True]
    assert not (tmp_path / "partial" / f"pass-1-{result.key}").exists()


def test_a_second_time_out_of_memory_is_told_with_its_remedy(tiny_clips, tmp_path, monkeypatch):
    memory = Memory(monkeypatch, 5)
    rule = (
        r"pass 1 must fit the memory, but got OutOfMemoryError: CUDA out of memory.* "
        r"\(6 of 12 clips at a time\): lower optimisation\.batch_size"
    )
    with pytest.raises(OutOfMemoryError, match=rule) as told:
        train_flat(open_tiny_trial(SETTING, tiny_clips, tmp_path))
    assert memory.refused == [12, 6]
    assert failure_class(told.value) == "out of memory"
    assert not (tmp_path / "pass-1").exists()


def test_a_batch_of_one_clip_cannot_be_halved(tiny_clips, tmp_path, monkeypatch):
    memory = Memory(monkeypatch, 0)
    setting = tiny_setting("optimisation.batch_size=1", passes=0)
    with pytest.raises(OutOfMemoryError, match="1 of 1 clips at a time"):
        train_flat(open_tiny_trial(setting, tiny_clips, tmp_path))
    assert memory.refused == [1]


def test_other_errors_are_not_tried_again(tiny_clips, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    memory = Memory(monkeypatch, 6, error=lambda: RuntimeError("shapes must match"))
    with pytest.raises(RuntimeError, match="shapes must match"):
        train_flat(open_tiny_trial(SETTING, tiny_clips, tmp_path))
    assert memory.refused == [12]
    assert not caplog.text
