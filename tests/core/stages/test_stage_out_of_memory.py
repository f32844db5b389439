"""Out of memory: a stage restarts once with two micro-batches per batch, under another key."""

from __future__ import annotations

import json
import logging
import weakref

import pytest
import torch

from autohier.core.failures import failure_class
from autohier.core.trial import run_trial, train_pass_1
from autohier.errors import OutOfMemoryError
from autohier.models.hierarchical import HierarchicalRecognizer
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config

CONFIG = tiny_config(passes=1)
"""Batches of 12 clips, six of them an epoch; two epochs of pass 1. `outcome` has the same stages."""


def no_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class FakeMemory:
    """Fake memory: the forward pass of a recognizer fails for more than ``max_clips`` clips at a time.

    The first ``patience`` larger batches still pass.
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
        # The memory of the failed network must be free before another network runs.
        others = [each() for each in self.refused_networks if each() is not network]
        assert not any(others), "the failed network is still in memory"
        if num_clips > self.max_clips:
            if self.patience == 0:
                self.refused.append(num_clips)
                self.refused_networks.append(weakref.ref(network))
                raise self.error()
            self.patience -= 1


def numerics_of(folder, result):
    stage = json.loads((folder / result.kind.name / result.key / "stage.json").read_text())["stage"]
    return stage["inputs"]["base"]["numerics"]


def test_every_stage_restarts_under_another_key_and_is_reused_under_it(
    tiny_clips, outcome, folder, tmp_path, monkeypatch, caplog
):
    unlimited = outcome.stages[:3]
    with monkeypatch.context() as patch:
        memory = FakeMemory(patch, 6)
        outcome = run_trial(open_tiny_trial(CONFIG, tiny_clips, tmp_path))

    assert memory.refused == [12, 12, 12]
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1"]
    assert not {stage.key for stage in outcome.stages} & {stage.key for stage in unlimited}
    assert [stage.parent_key for stage in outcome.stages[1:]] == [s.key for s in outcome.stages[:-1]]
    for halved, expected in zip(outcome.stages, unlimited, strict=True):
        numerics = numerics_of(folder, expected)
        assert "micro_batches" not in numerics
        assert numerics_of(tmp_path, halved) == numerics | {"micro_batches": "2"}
    assert "pass 1 ran out of memory: OutOfMemoryError: CUDA out of memory" in caplog.text
    assert caplog.text.count("(12 of 12 clips at a time)") == 3
    assert caplog.text.count("ran out of memory") == 3

    reused = run_trial(open_tiny_trial(CONFIG, tiny_clips, tmp_path))

    assert [stage.key for stage in reused.stages] == [stage.key for stage in outcome.stages]
    assert all(stage.reused for stage in reused.stages)


def test_a_cached_stage_without_micro_batches_comes_first(tiny_clips, outcome, folder, monkeypatch):
    memory = FakeMemory(monkeypatch, 6)
    assert train_pass_1(open_tiny_trial(CONFIG, tiny_clips, folder)).key == outcome.pass_1.key
    assert not memory.refused


def test_epochs_of_the_first_attempt_are_reported_again_and_not_continued(tiny_clips, tmp_path, monkeypatch):
    # An epoch takes six batches of training and two of validation.
    FakeMemory(monkeypatch, 6, patience=9)
    recorder = RecordingCallback()

    result = train_pass_1(open_tiny_trial(CONFIG, tiny_clips, tmp_path, recorder))

    assert [event[0] for event in recorder.events] == [
        "started",
        "epoch",
        "started",
        "epoch",
        "epoch",
        "finished",
    ]
    epochs = [event[3] for event in recorder.events if event[0] == "epoch"]
    assert tuple(epochs[1:]) == result.epochs
    assert epochs[0].loss != epochs[1].loss  # batch norm computes other statistics
    assert result.num_restored == 0
    # The checkpoint of the first attempt stays: a process with more memory may continue it.
    assert [path.name.startswith("pass-1-") for path in (tmp_path / "partial").iterdir()] == [True]
    assert not (tmp_path / "partial" / f"pass-1-{result.key}").exists()


def test_the_error_after_a_second_failure_has_a_hint(tiny_clips, tmp_path, monkeypatch):
    memory = FakeMemory(monkeypatch, 5)
    rule = (
        r"pass 1 must fit the memory, but got OutOfMemoryError: CUDA out of memory.* "
        r"\(6 of 12 clips at a time\): lower optimisation\.batch_size"
    )
    with pytest.raises(OutOfMemoryError, match=rule) as caught:
        train_pass_1(open_tiny_trial(CONFIG, tiny_clips, tmp_path))
    assert memory.refused == [12, 6]
    assert failure_class(caught.value) == "out of memory"
    assert not (tmp_path / "pass-1").exists()


def test_a_batch_of_one_clip_cannot_be_halved(tiny_clips, tmp_path, monkeypatch):
    memory = FakeMemory(monkeypatch, 0)
    config = tiny_config("optimisation.batch_size=1", passes=0)
    with pytest.raises(OutOfMemoryError, match="1 of 1 clips at a time"):
        train_pass_1(open_tiny_trial(config, tiny_clips, tmp_path))
    assert memory.refused == [1]


def test_other_errors_do_not_restart_a_stage(tiny_clips, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    memory = FakeMemory(monkeypatch, 6, error=lambda: RuntimeError("shapes must match"))
    with pytest.raises(RuntimeError, match="shapes must match"):
        train_pass_1(open_tiny_trial(CONFIG, tiny_clips, tmp_path))
    assert memory.refused == [12]
    assert not caplog.text
