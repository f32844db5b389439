"""The time of a training step: which steps are trained, and which of them count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autohier.core import step_time as module
from autohier.core.step_time import time_step
from autohier.core.training.loop import train
from autohier.data.store.reader import ClipStore
from support.sources.tiny_clips import open_tiny_trial, tiny_config


@pytest.mark.parametrize(("batch_size", "num_clips"), [(12, 12), (50, 36), (100, 72)])
def test_a_step_is_one_of_a_real_epoch(
    tiny_clips: ClipStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch_size: int,
    num_clips: int,
) -> None:
    # 72 training clips: 6 batches of 12, 2 of 36 and not of 50, or one of all.
    read: list[int] = []

    def counting(network, data_loader, *arguments, **options):
        read.extend(len(labels) for _, labels in data_loader.training_epoch(0))
        return train(network, data_loader, *arguments, **options)

    monkeypatch.setattr(module, "train", counting)
    trial = open_tiny_trial(tiny_config(f"optimisation.batch_size={batch_size}"), tiny_clips, tmp_path)
    assert time_step(trial, 3) > 0
    assert read == [num_clips] * (2 + 3)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_first_steps_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock is read after the second step and after the last of four more: (108 - 100) / 4.
    monkeypatch.setattr("time.perf_counter", iter([100.0, 108.0]).__next__)
    clock = module._Clock(4, torch.device("cpu"))
    for _ in range(7):
        clock.after_step()
    assert clock.step_s == 2.0
