"""Settings of the optimizer reach the training of a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from autohier.core.recipes.base import StageRequest
from autohier.core.stages.kinds.hac import PASS_1
from autohier.core.training.data_loader import DataLoader, Part
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import StoreRunner
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from support.sources.tiny_clips import OVERRIDES, open_tiny_trial, tiny_config

EPOCHS = 3


def train_pass_1(clips: ClipStore, folder: Path, *overrides: str) -> tuple[EpochMetrics, ...]:
    config = tiny_config(*OVERRIDES["skeletons"], f"pass_1.epochs={EPOCHS}", *overrides)
    trial = open_tiny_trial(config, clips, folder)
    return StoreRunner(trial)(StageRequest(PASS_1)).epochs


@pytest.fixture(scope="module")
def plain(tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[EpochMetrics, ...]:
    return train_pass_1(tiny_clips, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "override",
    [
        "optimisation.optimizer=sgd",
        "optimisation.clip_norm=1e-6",
        "optimisation.dropout=0.5",
        "optimisation.label_smoothing=0.2",
        "optimisation.weight_decay=0.5",
    ],
)
def test_a_setting_changes_the_training(
    tiny_clips: ClipStore, tmp_path: Path, plain: tuple[EpochMetrics, ...], override: str
) -> None:
    changed = train_pass_1(tiny_clips, tmp_path, override)
    assert [metrics.loss for metrics in changed] != [metrics.loss for metrics in plain]
    assert [metrics.num_clips for metrics in changed] == [metrics.num_clips for metrics in plain]


def test_balanced_weights_follow_from_the_training_clips(
    tiny_clips: ClipStore,
    tmp_path: Path,
    plain: tuple[EpochMetrics, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tiny clips have equally many of each class, whose weights are 1.
    equal = train_pass_1(tiny_clips, tmp_path / "equal", "optimisation.class_weights=balanced")
    assert [metrics.loss for metrics in equal] == pytest.approx([metrics.loss for metrics in plain], rel=1e-4)
    sizes = np.array([12, 12, 12, 12, 12, 24])
    asked: list[tuple[str, int]] = []

    def class_sizes(_: DataLoader, part: Part, num_classes: int) -> NDArray[np.int64]:
        asked.append((part, num_classes))
        return sizes

    monkeypatch.setattr(DataLoader, "class_sizes", class_sizes)
    unequal = train_pass_1(tiny_clips, tmp_path / "unequal", "optimisation.class_weights=balanced")
    assert asked == [("train", 6)]
    assert [metrics.loss for metrics in unequal] != pytest.approx(
        [metrics.loss for metrics in plain], rel=1e-4
    )


def test_repeats_multiply_the_clips_of_an_epoch(
    tiny_clips: ClipStore, tmp_path: Path, plain: tuple[EpochMetrics, ...]
) -> None:
    changed = train_pass_1(tiny_clips, tmp_path, "optimisation.repeats=2")
    assert [metrics.num_clips for metrics in plain] == [72] * EPOCHS
    assert [metrics.num_clips for metrics in changed] == [144] * EPOCHS


def test_the_rates_of_a_warm_up_are_recorded(tiny_clips: ClipStore, tmp_path: Path) -> None:
    # Of three epochs, at most one is a warm-up, whose only share is 1/1; of six, three.
    six = ("pass_1.epochs=6", "optimisation.warmup_epochs=3", "optimisation.lr_patience=6")
    rates = [metrics.learning_rate for metrics in train_pass_1(tiny_clips, tmp_path, *six)]
    assert rates == pytest.approx([1e-3, 2e-3, 3e-3, 3e-3, 3e-3, 3e-3])


def test_a_layer_that_cannot_be_counted_is_refused_before_the_first_epoch(
    tiny_clips: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*args: Any, **options: Any) -> HierarchicalRecognizer:
        network = build_recognizer(*args, **options)
        network.recognizer.recurrent = nn.LSTM(4, 5)
        return network

    monkeypatch.setattr("autohier.core.stages.context.build_recognizer", build)
    monkeypatch.setattr("autohier.core.stages.training.train_epochs", None)  # is never called
    trial = open_tiny_trial(tiny_config(*OVERRIDES["skeletons"]), tiny_clips, tmp_path)
    with pytest.raises(InputError, match=r"every layer with weights must be .* got LSTM at recognizer"):
        StoreRunner(trial)(StageRequest(PASS_1))
