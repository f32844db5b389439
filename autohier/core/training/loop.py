"""The training loop: one function for pass 1, pass 2 and the retraining after each pruning pass.

Legend: B clips, C channels, T frames, H W pixels, L headed stacks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.evaluation import evaluate, split_batch
from autohier.core.training.feed import Feed
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.schedules import ScheduleName, open_schedule
from autohier.digest import derive_seed
from autohier.errors import DivergedError


class EpochListener(Protocol):
    """Hears of every epoch; reused says that it was found in a checkpoint."""

    def __call__(self, metrics: EpochMetrics, *, reused: bool) -> None:
        """An epoch and its validation are done."""


def train(
    network: nn.Module,
    feed: Feed,
    loss: HierarchicalLoss,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    schedule: ScheduleName,
    lr_patience: int,
    lr_factor: float,
    seed: int,
    rates: Sequence[float] = (),
    after_step: Callable[[], None] = lambda: None,
    on_epoch: EpochListener | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
    checkpoint: EpochCheckpoint | None = None,
) -> tuple[EpochMetrics, ...]:
    """Train a network in place with Adam.

    HAC section 4: "plateau", from 1e-4 to a tenth of it after two epochs in which the validation loss has
    not improved. The optimizer is always a fresh one: momentum from before a pruning pass would revive
    pruned filters.

    Args:
        network: maps clips to one ``scores_BS`` per headed stack.
        feed: training and validation clips.
        loss: what each headed stack is trained to tell apart.
        epochs: passes over the training clips.
        learning_rate: at the start.
        weight_decay: Adam's l2 term.
        schedule: of the rate; see core.training.schedules.
        lr_patience: plateau: epochs without a lower validation loss before the rate drops.
        lr_factor: plateau: what the rate is multiplied by then.
        seed: epoch e draws everything from (seed, e) alone.
        rates: of every epoch, in place of what learning_rate and the schedule say.
        after_step: called after every optimizer step; pruning re-applies its masks here.
        on_epoch: called after every epoch's validation, and at once for epochs that the checkpoint holds.
        autocast: opens the precision to compute in.
        micro_batches: parts that each batch is computed in, one after the other, so that activations of one
            part alone are held. An optimizer step follows the whole batch as ever. Without batch norm the
            results differ by rounding; batch norm takes its statistics of each part.
        checkpoint: written after every epoch; training goes on after the last epoch that it holds.

    Raises:
        DivergedError: where a training or validation loss is not a finite number.
    """
    # Fused, as the plain one passes over all weights a dozen times: a tenth of a small network's step.
    optimizer = torch.optim.Adam(
        network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True
    )
    course = open_schedule(
        schedule,
        optimizer,
        epochs=epochs,
        num_batches=feed.num_training_batches,
        patience=lr_patience,
        factor=lr_factor,
        rates=rates,
    )
    told = on_epoch or _nobody
    history = checkpoint.restore(network, optimizer, course) if checkpoint else []
    for metrics in history:
        told(metrics, reused=True)
    for epoch in range(len(history), epochs):
        started = time.perf_counter()
        rate = float(optimizer.param_groups[0]["lr"])
        batches = feed.training_epoch(derive_seed(seed, epoch))
        mean_L = torch.zeros_like(loss.weights_L)
        network.train()
        for clips_BCTHW, labels_B in batches:
            parts = split_batch(clips_BCTHW, labels_B, micro_batches)
            losses_L = _step(network, optimizer, loss, parts, autocast)
            after_step()
            course.after_step()
            # Summed on the device: reading the loss at every step would make an accelerator wait.
            mean_L += losses_L * (len(labels_B) / feed.num_clips("train"))
        validation = evaluate(
            network, feed, "validation", loss, num_sets=1, autocast=autocast, micro_batches=micro_batches
        )
        metrics = EpochMetrics(
            epoch=epoch,
            learning_rate=rate,
            loss=float(loss.total(mean_L)),
            stack_losses=tuple(mean_L.tolist()),
            validation_loss=validation.loss,
            stack_accuracies=validation.stack_accuracies,
            seconds=time.perf_counter() - started,
            num_clips=feed.num_clips("train"),
        )
        _check_finite(metrics)
        course.after_epoch(validation.loss)
        history.append(metrics)
        if checkpoint:
            checkpoint.save(network, optimizer, course, history)
        told(metrics, reused=False)
    return tuple(history)


def _nobody(metrics: EpochMetrics, *, reused: bool) -> None:
    """Stands in for a listener."""


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: HierarchicalLoss,
    parts: Sequence[tuple[Tensor, Tensor]],
    autocast: Callable[[], AbstractContextManager[object]],
) -> Tensor:
    num_clips = sum(len(labels_B) for _, labels_B in parts)
    mean_L = torch.zeros_like(loss.weights_L)
    optimizer.zero_grad(set_to_none=True)
    for clips_BCTHW, labels_B in parts:
        with autocast():
            scores = network(clips_BCTHW)
        losses_L = loss.of_stacks(scores, labels_B) * (len(labels_B) / num_clips)
        loss.total(losses_L).backward()  # type: ignore[no-untyped-call]
        mean_L += losses_L.detach()
    optimizer.step()
    return mean_L


def _check_finite(metrics: EpochMetrics) -> None:
    if not (math.isfinite(metrics.loss) and math.isfinite(metrics.validation_loss)):
        raise DivergedError(
            f"the losses of epoch {metrics.epoch + 1} must be finite",
            got=f"{metrics.loss} in training and {metrics.validation_loss} in validation",
            remedy="lower optimisation.learning_rate",
        )
