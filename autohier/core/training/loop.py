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
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import seeded_random
from autohier.core.training.evaluation import evaluate, split_batch
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import OptimizerBuilder
from autohier.core.training.schedules import ScheduleBuilder
from autohier.digest import derive_seed
from autohier.errors import DivergedError


class EpochCallback(Protocol):
    """Receives every epoch after its validation."""

    def __call__(self, metrics: EpochMetrics, *, reused: bool) -> None:
        """Receive one epoch; reused if it was restored from a checkpoint."""


def train(
    network: nn.Module,
    data_loader: DataLoader,
    loss: HierarchicalLoss,
    *,
    epochs: int,
    optimizer: OptimizerBuilder,
    schedule: ScheduleBuilder,
    seed: int,
    after_step: Callable[[], None] = lambda: None,
    on_epoch: EpochCallback | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
    clip_norm: float | None = None,
    checkpoint: EpochCheckpoint | None = None,
) -> tuple[EpochMetrics, ...]:
    """Train a network in place.

    HAC section 4 uses Adam and "plateau" from 1e-4, dividing the rate by ten after two epochs without a lower
    validation loss. The optimizer is always a new one: momentum from before a pruning pass would revive
    pruned filters.

    Args:
        network: maps clips to one ``scores_BS`` per headed stack.
        data_loader: training and validation clips.
        loss: superclasses and loss weight of each headed stack.
        epochs: number of passes over the training clips.
        optimizer: builds the optimizer, at its initial learning rate.
        schedule: builds the learning-rate schedule.
        seed: all random numbers of epoch e follow from (seed, e), those of layers such as dropout too.
        after_step: called after every optimizer step; pruning re-applies its masks here.
        on_epoch: called after every epoch's validation, and right away for epochs in the checkpoint.
        autocast: returns the context manager of the precision to compute in.
        micro_batches: number of parts that each batch is computed in, one after the other, so that memory
            holds the activations of one part. The optimizer steps once per whole batch. Without batch norm
            the results differ by rounding only; batch norm uses the statistics of each part.
        clip_norm: largest l2 norm of the whole gradient of a step; a longer one is shortened to it.
        checkpoint: written after every epoch; training continues after the last epoch in it.

    Raises:
        DivergedError: if a training or validation loss is not finite.
    """
    built = optimizer(network.parameters())
    rate_schedule = schedule(built, epochs=epochs, num_batches=data_loader.num_training_batches)
    report = on_epoch or _ignore
    history = checkpoint.restore(network, built, rate_schedule) if checkpoint else []
    for metrics in history:
        report(metrics, reused=True)
    for epoch in range(len(history), epochs):
        started = time.perf_counter()
        rate = float(built.param_groups[0]["lr"])
        mean_L = torch.zeros_like(loss.weights_L)
        network.train()
        with seeded_random(data_loader.device, derive_seed(seed, epoch, "layers")):
            for clips_BCTHW, labels_B in data_loader.training_epoch(derive_seed(seed, epoch)):
                parts = split_batch(clips_BCTHW, labels_B, micro_batches)
                losses_L = _step(network, built, loss, parts, autocast, clip_norm)
                after_step()
                rate_schedule.after_step()
                # Summed on the device: reading the loss at every step would make an accelerator wait.
                mean_L += losses_L * (len(labels_B) / data_loader.clips_per_epoch)
        validation = evaluate(
            network,
            data_loader,
            "validation",
            loss,
            num_sets=1,
            autocast=autocast,
            micro_batches=micro_batches,
        )
        metrics = EpochMetrics(
            epoch=epoch,
            learning_rate=rate,
            loss=float(loss.total(mean_L)),
            stack_losses=tuple(mean_L.tolist()),
            validation_loss=validation.loss,
            stack_accuracies=validation.stack_accuracies,
            seconds=time.perf_counter() - started,
            num_clips=data_loader.clips_per_epoch,
            stack_top5_accuracies=validation.stack_top5_accuracies,
            stack_mean_class_accuracies=validation.stack_mean_class_accuracies,
        )
        _check_finite(metrics)
        rate_schedule.after_epoch(validation.loss)
        history.append(metrics)
        if checkpoint:
            checkpoint.save(network, built, rate_schedule, history)
        report(metrics, reused=False)
    return tuple(history)


def _ignore(metrics: EpochMetrics, *, reused: bool) -> None:
    """No-op epoch callback."""


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: HierarchicalLoss,
    parts: Sequence[tuple[Tensor, Tensor]],
    autocast: Callable[[], AbstractContextManager[object]],
    clip_norm: float | None,
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
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimizer.step()
    return mean_L


def _check_finite(metrics: EpochMetrics) -> None:
    if not (math.isfinite(metrics.loss) and math.isfinite(metrics.validation_loss)):
        raise DivergedError(
            f"the losses of epoch {metrics.epoch + 1} must be finite",
            got=f"{metrics.loss} in training and {metrics.validation_loss} in validation",
            hint="lower optimisation.learning_rate",
        )
