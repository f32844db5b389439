"""Auxiliary losses of a recognizer: in the gradient, in the loss of an epoch, and in micro-batches."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import sgd
from autohier.core.training.schedules import plateau
from autohier.models import PrunableFilters, Recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from support.fakes.fake_data_loader import FakeDataLoader

POINTS, LABELS = [1.0, 2.0, 3.0, 6.0], [0, 1, 0, 1]
RATE, WEIGHT = 0.01, 0.5


class Line(Recognizer):
    """Multiplies points; the auxiliary loss is half the mean square of the products."""

    stack_channels = (1,)

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))
        self.taken: list[float] = []
        self._auxiliary_loss: Tensor | None = None

    def forward_stacks(self, batch: Tensor) -> list[Tensor]:
        product = self.factor * batch
        if self.training:
            self._auxiliary_loss = WEIGHT * product.square().mean()
        return [product]

    def take_auxiliary_loss(self) -> Tensor | None:
        taken, self._auxiliary_loss = self._auxiliary_loss, None
        self.taken.append(float(taken.detach()) if taken is not None else float("nan"))
        return taken

    def prunable_filters(self) -> list[PrunableFilters]:
        return []


def train_line(*, batch_size: int = 4, micro_batches: int = 1) -> tuple[Line, EpochMetrics]:
    """Train one epoch from heads of zeros, whose cross-entropy does not move the factor at first."""
    line = Line()
    network = HierarchicalRecognizer(line, (2,))
    for parameter in network.heads.parameters():
        nn.init.zeros_(parameter)
    (metrics,) = train(
        network,
        FakeDataLoader(POINTS, LABELS, batch_size=batch_size),  # type: ignore[arg-type]
        HierarchicalLoss(Hierarchy.flat(2), (1.0,), torch.device("cpu")),
        epochs=1,
        optimizer=partial(sgd, learning_rate=RATE, momentum=0.0, nesterov=False),
        schedule=partial(plateau, lr_patience=9, lr_factor=0.1),
        seed=0,
        micro_batches=micro_batches,
    )
    return line, metrics


@pytest.mark.parametrize("micro_batches", [1, 2, 3])
def test_the_auxiliary_loss_is_part_of_loss_and_gradient(micro_batches: int) -> None:
    line, metrics = train_line(micro_batches=micro_batches)
    mean_square = sum(point**2 for point in POINTS) / len(POINTS)
    assert metrics.auxiliary_loss == pytest.approx(WEIGHT * mean_square)
    # The cross-entropy of two equal scores is log 2.
    assert metrics.stack_losses == pytest.approx([0.693147], abs=1e-6)
    assert metrics.loss == pytest.approx(metrics.stack_losses[0] + metrics.auxiliary_loss)
    # The derivative of WEIGHT * factor^2 * mean_square at factor 1.
    assert line.factor.item() == pytest.approx(1 - RATE * 2 * WEIGHT * mean_square)


def test_an_epoch_has_the_mean_over_its_clips() -> None:
    # The second batch holds one clip and counts a third as much as the first.
    line, metrics = train_line(batch_size=3)
    first, second = line.taken[:2]
    assert metrics.auxiliary_loss == pytest.approx((3 * first + second) / 4)


def test_evaluation_takes_none() -> None:
    line, _ = train_line()
    assert len(line.taken) == 1
    assert line.take_auxiliary_loss() is None
