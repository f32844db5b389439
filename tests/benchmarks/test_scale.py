"""The benchmark of many accelerators: its measure by hand, and its sleeping recognizer without sleep."""

from types import SimpleNamespace

import pytest
import torch

from support.benchmark_modules import load_benchmark

scale = load_benchmark("scale")


def test_at_work_is_the_training_s_part_of_the_accelerators_time():
    # 4 accelerators for 50 s could train 200 s.
    assert scale.Run(accelerators=4, lent=True, wall_s=50, trained_s=120).at_work == 0.6


def test_epochs_of_trials_and_of_other_work_are_counted():
    rows = [SimpleNamespace(epochs_computed=number) for number in (3, None, 4)]
    records = SimpleNamespace(trials=rows, work=[SimpleNamespace(epochs_computed=5)])
    assert scale.trained_epochs(records) == 12


def test_the_recognizer_sleeps_by_its_training_clips(tmp_path, monkeypatch):
    scale.write_sleeper(tmp_path)
    monkeypatch.setenv("AUTOHIER_SLEEPER_CLIP_S", "0.5")
    monkeypatch.syspath_prepend(tmp_path)
    from autohier_sleeper import SleeperSettings  # type: ignore[import-not-found]
    from autohier_sleeper_network import Sleeper  # type: ignore[import-not-found]

    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert SleeperSettings().name == "sleeper"
    network = Sleeper(in_channels=3)
    features = network.forward_stacks(torch.rand(6, 3, 2, 4, 4))
    assert [feature.shape for feature in features] == [(6, 8)] * 3
    assert slept == [pytest.approx(3.0)]
    network.eval().forward_stacks(torch.rand(6, 3, 2, 4, 4))
    assert len(slept) == 1
    assert [filters.name for filters in network.prunable_filters()] == ["layers.0", "layers.1", "layers.2"]
