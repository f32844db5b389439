"""Training of two layers on six points, which can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import adam
from autohier.core.training.schedules import (
    ScheduleBuilder,
    cosine,
    one_cycle,
    plateau,
    recorded_rates,
    warm_up,
)
from autohier.data.inputs.share import WHOLE, Share
from support.fakes.fake_data_loader import FakeDataLoader

EPOCHS = 4
SCHEDULES: dict[str, ScheduleBuilder] = {
    "plateau": partial(plateau, lr_patience=1, lr_factor=0.1),
    "cosine": cosine,
    "one-cycle": one_cycle,
    "warm-up": partial(warm_up, schedule=cosine, warmup_epochs=2),
    "recorded": partial(recorded_rates, rates=(0.1, 0.03, 0.02, 0.01)),
}


class CutShortError(Exception):
    """Stands for a process that dies."""


class Epochs:
    """Collects the epochs that are reported, and ends the training after one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.reported: list[tuple[int, bool]] = []

    def __call__(self, metrics: EpochMetrics, *, reused: bool) -> None:
        self.reported.append((metrics.epoch, reused))
        if metrics.epoch == self.last:
            raise CutShortError("cut short")


class Points(FakeDataLoader):
    """Points whose labels are swapped in validation: the loss there rises as the network learns."""

    def __init__(self) -> None:
        super().__init__([-2.0, -1.0, 1.0, 2.0, 3.0, -3.0], [0, 0, 1, 1, 1, 0], batch_size=2)

    def evaluation_set(
        self,
        part: str,
        set_index: int,
        num_sets: int,
        *,
        mirrored: bool = False,
        share: Share = WHOLE,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        batches = super().evaluation_set(part, set_index, num_sets, mirrored=mirrored, share=share)
        for points, labels in batches:
            yield points, 1 - labels


class TwoLayers(nn.Module):
    """Two linear layers, always with the same weights."""

    def __init__(self, features: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, features), nn.Linear(features, 2))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))

    def forward(self, points: torch.Tensor) -> list[torch.Tensor]:
        return [self.layers(points)]


def run(
    network: nn.Module,
    schedule: str = "plateau",
    checkpoint: EpochCheckpoint | None = None,
    on_epoch: Epochs | None = None,
) -> tuple[EpochMetrics, ...]:
    """Train on the points."""
    return train(
        network,
        Points(),  # type: ignore[arg-type]
        HierarchicalLoss(Hierarchy.flat(2), (1.0,), torch.device("cpu")),
        epochs=EPOCHS,
        optimizer=partial(adam, learning_rate=0.1, weight_decay=1e-3),
        schedule=SCHEDULES[schedule],
        seed=5,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )


def cut(
    checkpoint: EpochCheckpoint, last: int, schedule: str = "plateau", network: nn.Module | None = None
) -> None:
    with pytest.raises(CutShortError, match="cut short"):
        run(network or TwoLayers(), schedule, checkpoint, Epochs(last))


def untimed(history: tuple[EpochMetrics, ...]) -> list[EpochMetrics]:
    return [replace(metrics, seconds=0.0) for metrics in history]
