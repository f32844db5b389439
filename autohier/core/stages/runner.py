"""Running one stage: reuse it from the store, or lease, train, measure and publish it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from autohier.core.failures import is_out_of_memory
from autohier.core.pruning.cost import measure_cost
from autohier.core.stages.builders import optimizer_builder, schedule_builder
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import StageInputs, in_micro_batches, num_micro_batches, stage_key
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.evaluation import evaluate
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.errors import OutOfMemoryError

_LOG = logging.getLogger(__name__)
_HALVES = 2


@dataclass(frozen=True, slots=True)
class _Run:
    """One stage with the inputs that it is run with."""

    kind: StageKind
    pass_index: int
    inputs: StageInputs
    prepare: Callable[[StageContext], TrainingJob]
    context: StageContext

    @property
    def key(self) -> str:
        return stage_key(self.kind, self.inputs)

    @property
    def label(self) -> str:
        return self.kind.label(self.pass_index)


def run_stage(kind: StageKind, stage: PlannedStage, context: StageContext, *, pass_index: int) -> StageResult:
    """Return a stage's result: from the store if it is there, else by training it.

    If another process is training the stage, wait for its result. If that process dies, continue after the
    last epoch in its checkpoint.

    If memory runs out, restart the stage with every batch computed in two halves. The numbers differ then, so
    that the stage has another key. If the store holds the stage under that key, it is reused right away.

    Args:
        kind: of the stage.
        stage: its inputs, and how it is prepared.
        context: what it works with.
        pass_index: k for the k-th pruning pass, 0 for other stages.

    Raises:
        DivergedError: if training diverges.
        OutOfMemoryError: if half a batch does not fit either, or a batch is one clip.
        StageDamagedError: if the parent's weights are missing or damaged; no callback was called then.
    """
    batch_size = stage.inputs.optimisation.batch_size
    whole = _Run(kind, pass_index, stage.inputs, stage.prepare, context)
    halves = replace(whole, inputs=in_micro_batches(stage.inputs, _HALVES))
    runs = [whole, halves] if batch_size > 1 else [whole]
    # A stored one first. It is tried and not taken for granted, as it may turn out to be damaged.
    for run in sorted(runs, key=lambda run: not context.store.holds(kind, run.key)):
        try:
            return _reuse_or_train(run)
        except (MemoryError, OSError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            num_clips = -(-batch_size // num_micro_batches(run.inputs))
            reason = f"{type(error).__name__}: {error} ({num_clips} of {batch_size} clips at a time)"
        # Outside the except block, since the error's traceback refers to the tensors.
        context.device.free_memory()
        _LOG.warning("%s ran out of memory: %s", whole.label, reason)
    raise OutOfMemoryError(
        f"{whole.label} must fit the memory",
        got=reason,
        hint="lower optimisation.batch_size, clips.num_frames or the size of frames or maps",
    )


def _reuse_or_train(run: _Run) -> StageResult:
    kind, key, callback = run.kind, run.key, run.context.callback
    cached = run.context.store.find(kind, key)
    if cached is None:
        with run.context.leases.hold(
            f"{kind.name}-{key}", partial(callback.on_stage_wait, kind, run.pass_index)
        ):
            # The last holder of the lease may have published the stage.
            cached = run.context.store.find(kind, key)
            if cached is None:
                return _train_and_publish(run)
    _replay(run, cached)
    return cached


def _replay(run: _Run, cached: StageResult) -> None:
    """Report a stored stage to the callback with its recorded epochs."""
    callback = run.context.callback
    callback.on_stage_start(run.kind, run.pass_index, reused=True)
    # A slower process that trained the same stage leaves a checkpoint. The store may be read-only.
    with suppress(OSError):
        run.context.store.partial(run.kind, run.key).remove()
    for metrics in cached.epochs:
        callback.on_epoch_end(run.kind, run.pass_index, metrics, reused=True)
    callback.on_stage_end(cached)


def _train_and_publish(run: _Run) -> StageResult:
    context, inputs = run.context, run.inputs
    checkpoint = context.store.partial(run.kind, run.key)
    # Before on_stage_start: a stage whose parent is missing has not started.
    job = run.prepare(context)
    data_loader = context.data_loader(inputs.base, inputs.optimisation)
    context.callback.on_stage_start(run.kind, run.pass_index, reused=False)
    base, balanced = inputs.base, job.optimisation.class_weights == "balanced"
    job.network.dropout.p = job.optimisation.dropout
    network = context.device.prepare(job.network)
    loss = HierarchicalLoss(
        job.hierarchy,
        job.weights,
        context.device.torch_device,
        label_smoothing=job.optimisation.label_smoothing,
        class_sizes_K=data_loader.class_sizes("train", base.network.num_classes) if balanced else None,
    )
    epochs = _train(run, job, network, data_loader, loss, checkpoint)
    started = time.perf_counter()
    evaluation = evaluate(
        network,
        data_loader,
        "validation",
        loss,
        num_sets=data_loader.test_sets,
        flip=data_loader.test_flip,
        autocast=context.device.autocast,
        micro_batches=num_micro_batches(inputs),
    )
    result = StageResult(
        kind=run.kind,
        key=run.key,
        parent_key=inputs.parent_key,
        pass_index=run.pass_index,
        hierarchy=job.hierarchy,
        epochs=epochs,
        stack_accuracies=evaluation.stack_accuracies,
        confusion_KK=evaluation.confusion_KK,
        cost=measure_cost(job.network, data_loader.clip_shape),
        seconds=sum(metrics.seconds for metrics in epochs) + time.perf_counter() - started,
        reused=False,
        num_restored=checkpoint.num_restored,
        stack_top5_accuracies=evaluation.stack_top5_accuracies,
        stack_mean_class_accuracies=evaluation.stack_mean_class_accuracies,
    )
    context.store.publish(result, inputs, {**job.network.state_dict(), **job.extra_tensors})
    checkpoint.remove()
    context.callback.on_stage_end(result)
    return result


def _train(
    run: _Run,
    job: TrainingJob,
    network: nn.Module,
    data_loader: DataLoader,
    loss: HierarchicalLoss,
    checkpoint: EpochCheckpoint,
) -> tuple[EpochMetrics, ...]:
    return train(
        network,
        data_loader,
        loss,
        epochs=job.epochs,
        optimizer=optimizer_builder(job.optimisation),
        schedule=schedule_builder(job.optimisation, job.rates),
        seed=job.seed,
        after_step=job.after_step,
        on_epoch=partial(run.context.callback.on_epoch_end, run.kind, run.pass_index),
        autocast=run.context.device.autocast,
        micro_batches=num_micro_batches(run.inputs),
        clip_norm=job.optimisation.clip_norm,
        checkpoint=checkpoint,
    )
