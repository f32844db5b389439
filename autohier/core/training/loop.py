"""The training loop: one function for pass 1, pass 2 and the retraining after each pruning pass.

Legend: B clips of a batch, R clips of it that this process reads, L heads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, Required, TypedDict, Unpack

import torch
from torch import Tensor, nn

from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import seeded_random
from autohier.core.training.evaluation import evaluate
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.optimizers import OptimizerBuilder
from autohier.core.training.replicas import SOLO, Replicas, share_tensors
from autohier.core.training.replicas.current_part import CurrentPart
from autohier.core.training.replicas.gradients import sum_gradients
from autohier.core.training.replicas.whole_batch import whole_batch_layers
from autohier.core.training.schedules import ScheduleBuilder
from autohier.data.inputs.named import ClipBatch, rows_of
from autohier.data.inputs.share import Share
from autohier.digest import derive_seed
from autohier.errors import DivergedError
from autohier.models.hierarchical import HierarchicalRecognizer


class EpochCallback(Protocol):
    """Callback for each validated epoch."""

    def __call__(self, metrics: EpochMetrics, *, reused: bool) -> None:
        """Receive an epoch; `reused` is True if it was restored from a checkpoint."""


class TrainingOptions(TypedDict, total=False):
    """Keyword arguments of `train_epochs`."""

    epochs: Required[int]
    optimizer: Required[OptimizerBuilder]
    schedule: Required[ScheduleBuilder]
    seed: Required[int]
    after_step: Callable[[], None]
    autocast: Callable[[], AbstractContextManager[object]]
    micro_batches: int
    clip_norm: float | None
    checkpoint: EpochCheckpoint | None
    replicas: Replicas
    frozen: Sequence[nn.Module]


def train(
    network: nn.Module,
    data_loader: DataLoader,
    loss: HierarchicalLoss,
    *,
    on_epoch: EpochCallback | None = None,
    **options: Unpack[TrainingOptions],
) -> tuple[EpochMetrics, ...]:
    """Train a network in place.

    Args:
        network: see `train_epochs`.
        data_loader: see `train_epochs`.
        loss: see `train_epochs`.
        on_epoch: called after every epoch's validation, and right away for epochs in the checkpoint; of
            several ranks, on rank 0 only.
        **options: see `train_epochs`.

    Raises:
        DivergedError: if a training or validation loss is not finite.
    """
    checkpoint, history = options.get("checkpoint"), []
    reports = on_epoch is not None and options.get("replicas", SOLO).rank == 0
    for metrics in train_epochs(network, data_loader, loss, **options):
        history.append(metrics)
        if on_epoch and reports:
            on_epoch(metrics, reused=checkpoint is not None and metrics.epoch < checkpoint.num_restored)
    return tuple(history)


def train_epochs(
    network: nn.Module,
    data_loader: DataLoader,
    loss: HierarchicalLoss,
    *,
    epochs: int,
    optimizer: OptimizerBuilder,
    schedule: ScheduleBuilder,
    seed: int,
    after_step: Callable[[], None] = lambda: None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    micro_batches: int = 1,
    clip_norm: float | None = None,
    checkpoint: EpochCheckpoint | None = None,
    replicas: Replicas = SOLO,
    frozen: Sequence[nn.Module] = (),
) -> Iterator[EpochMetrics]:
    """Train a network in place, an epoch and its validation per step of the iterator.

    HAC section 4 uses Adam and "plateau" from 1e-4, dividing the rate by ten after two epochs without a lower
    validation loss. The optimizer is always a new one: momentum from before a pruning pass would revive
    pruned filters.

    Several processes may train the network together, each with its own copy of the network and an equal data
    loader. The result does not depend on their number, except for rounding: batch norm, dropout,
    augmentation, loss and gradient are those of the whole batch. Training that is interrupted at one number
    of processes may continue at another. All ranks yield the same losses and accuracies, and raise
    DivergedError alike. Between two steps of the iterator, no process waits for another.

    Args:
        network: maps clips to one ``scores_BS`` per head.
        data_loader: training and validation clips.
        loss: superclasses and loss weight of each head.
        epochs: number of passes over the training clips.
        optimizer: builds the optimizer, at its initial learning rate.
        schedule: builds the learning-rate schedule.
        seed: all random numbers of epoch e follow from (seed, e), those of layers such as dropout too.
        after_step: called after every optimizer step; pruning re-applies its masks here.
        autocast: returns the context manager of the precision to compute in.
        micro_batches: number of parts that each batch is computed in, one after the other, so that memory
            holds the activations of one part. The optimizer steps once per whole batch. Without batch norm
            the results differ by rounding only; batch norm uses the statistics of each part. Each part is
            shared by all replicas, so that its statistics do not depend on their number.
        clip_norm: largest l2 norm of the whole gradient of a step; a longer one is shortened to it.
        checkpoint: written after every epoch, by rank 0; training continues after the last epoch in it.
        replicas: the processes that train the network.
        frozen: parts of the network whose parameters and buffers stay as they are, bit by bit. They compute
            as in evaluation.

    Yields:
        Restored epochs first (`EpochCheckpoint.num_restored`), then trained ones. A trained epoch is in the
        checkpoint when it is yielded.

    Raises:
        DivergedError: if a training or validation loss is not finite.
    """
    for module in frozen:
        module.requires_grad_(False)
    # Weight decay would move parameters without gradients, too, if the optimizer had them.
    built = optimizer(parameter for parameter in network.parameters() if parameter.requires_grad)
    rate_schedule = schedule(built, epochs=epochs, num_batches=data_loader.num_training_batches)
    history = checkpoint.restore(network, built, rate_schedule, replicas) if checkpoint else []
    if not history:
        # Equal already if all machines are alike; later steps keep equal networks equal.
        share_tensors(network.state_dict().values(), replicas)
    step = _Step(network, built, loss, autocast, clip_norm, replicas, micro_batches)
    yield from tuple(history)
    for epoch in range(len(history), epochs):
        started = time.perf_counter()
        rate = float(built.param_groups[0]["lr"])
        mean_L1 = step.no_losses()
        network.train()
        for module in frozen:
            module.eval()
        with (
            seeded_random(data_loader.device, derive_seed(seed, epoch, "layers")),
            whole_batch_layers(network, replicas) as part,
        ):
            batches = _Batches(data_loader.training_epoch(derive_seed(seed, epoch), step.share))
            for clips_R, labels_B in batches:
                losses_L1 = step(clips_R, labels_B, part)
                after_step()
                rate_schedule.after_step()
                # Summed on the device: reading the loss at every step would make an accelerator wait.
                mean_L1 += losses_L1 * (len(labels_B) / data_loader.clips_per_epoch)
        replicas.sum_(mean_L1)
        mean_L, auxiliary_loss = mean_L1[:-1], float(mean_L1[-1])
        validation = evaluate(
            network,
            data_loader,
            "validation",
            loss,
            num_sets=1,
            autocast=autocast,
            micro_batches=micro_batches,
            replicas=replicas,
        )
        metrics = EpochMetrics(
            epoch=epoch,
            learning_rate=rate,
            loss=float(loss.total(mean_L)) + auxiliary_loss,
            stack_losses=tuple(mean_L.tolist()),
            validation_loss=validation.loss,
            stack_accuracies=validation.stack_accuracies,
            seconds=time.perf_counter() - started,
            num_clips=data_loader.clips_per_epoch,
            stack_top5_accuracies=validation.stack_top5_accuracies,
            stack_mean_class_accuracies=validation.stack_mean_class_accuracies,
            auxiliary_loss=auxiliary_loss,
            waited_s=batches.waited_s,
        )
        _check_finite(metrics)
        rate_schedule.after_epoch(validation.loss)
        history.append(metrics)
        if checkpoint and replicas.rank == 0:
            checkpoint.save(network, built, rate_schedule, history)
        yield metrics


@dataclass(slots=True)
class _Batches:
    """Batches of an epoch, and the time until they are there."""

    batches: Iterator[tuple[ClipBatch, Tensor]]
    waited_s: float = 0.0

    def __iter__(self) -> Iterator[tuple[ClipBatch, Tensor]]:
        while True:
            started = time.perf_counter()
            batch = next(self.batches, None)
            self.waited_s += time.perf_counter() - started
            if batch is None:
                return
            yield batch


@dataclass(frozen=True, slots=True)
class _Step:
    """Optimizer step with a batch, of which this process computes its share."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    loss: HierarchicalLoss
    autocast: Callable[[], AbstractContextManager[object]]
    clip_norm: float | None
    replicas: Replicas
    micro_batches: int

    @property
    def share(self) -> Share:
        return Share(self.replicas.rank, self.replicas.width, self.micro_batches)

    def no_losses(self) -> Tensor:
        """Return zeros for the losses of the heads and the auxiliary loss: float32 [L + 1]."""
        return self.loss.weights_L.new_zeros(len(self.loss.weights_L) + 1)

    def __call__(self, clips_R: ClipBatch, labels_B: Tensor, part: CurrentPart) -> Tensor:
        """Step, and return what this process adds to the mean losses of the batch: float32 [L + 1]."""
        mean_L1 = self.no_losses()
        self.optimizer.zero_grad(set_to_none=True)
        first = 0
        for share in self.share.parts_of(len(labels_B)):
            part.share = share
            # Without a clip of its own, a rank computes one of the others with weight zero.
            start, place = (first, share.start) if share.num_own else (0, 0)
            number = max(1, share.num_own)
            with self.autocast():
                scores = self.network(rows_of(clips_R, slice(start, start + number)))
            losses_L = self.loss.of_heads(scores, labels_B[place : place + number])
            own_share = share.num_own / len(labels_B)
            losses_L = losses_L * own_share
            total, auxiliary = self.loss.total(losses_L), _auxiliary_loss(self.network)
            if auxiliary is not None:
                auxiliary = auxiliary.to(total.dtype) * own_share
                total = total + auxiliary
                mean_L1[-1] += auxiliary.detach()
            total.backward()  # type: ignore[no-untyped-call]
            mean_L1[:-1] += losses_L.detach()
            first += share.num_own
        sum_gradients(self.network.parameters(), self.replicas)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        self.optimizer.step()
        return mean_L1


def _auxiliary_loss(network: nn.Module) -> Tensor | None:
    return network.take_auxiliary_loss() if isinstance(network, HierarchicalRecognizer) else None


def _check_finite(metrics: EpochMetrics) -> None:
    if not (math.isfinite(metrics.loss) and math.isfinite(metrics.validation_loss)):
        raise DivergedError(
            f"the losses of epoch {metrics.epoch + 1} must be finite",
            got=f"{metrics.loss} in training and {metrics.validation_loss} in validation",
            hint="lower optimisation.learning_rate",
        )
