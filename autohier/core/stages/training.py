"""Training one stage, alone or as one of several ranks, and publishing its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from autohier.core.pruning.cost import measure_cost
from autohier.core.pruning.liveness import require_known_layers
from autohier.core.stages.builders import optimizer_builder, schedule_builder
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.context import StageContext, TrainingJob
from autohier.core.stages.inputs import StageInputs, num_micro_batches
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.evaluation import evaluate
from autohier.core.training.loop import train_epochs
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics, Evaluation
from autohier.core.training.replicas import SOLO, Replicas
from autohier.data.inputs.shapes import ClipShape


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage with the inputs that it is run with."""

    kind: StageKind
    pass_index: int
    inputs: StageInputs
    prepare: Callable[[StageContext], TrainingJob]
    context: StageContext

    @property
    def key(self) -> str:
        """Key in the stage store."""
        return stage_key(self.kind, self.inputs)

    @property
    def label(self) -> str:
        """Display name."""
        return self.kind.label(self.pass_index)


@dataclass(frozen=True, slots=True)
class TrainedStage:
    """A trained network with its measurements, not in the store yet."""

    job: TrainingJob
    clip_shape: ClipShape
    epochs: tuple[EpochMetrics, ...]
    evaluation: Evaluation
    seconds: float
    checkpoint: EpochCheckpoint


def stage_epochs(
    kind: StageKind,
    stage: PlannedStage,
    context: StageContext,
    *,
    pass_index: int,
    replicas: Replicas = SOLO,
) -> Generator[EpochMetrics, None, StageResult | None]:
    """Train a stage as one of several ranks, an epoch per step of the generator; rank 0 publishes the result.

    The stage continues after the last epoch in its checkpoint, at any number of ranks. So the number may
    change after every epoch: close the generators of all ranks and start new ones. The last step evaluates
    the trained network on all ranks.

    The caller looks into the store, holds the lease, and restarts the stage if memory runs out, as
    `run_stage` does. To compute every batch in more parts, pass a stage with inputs of `in_micro_batches`.

    Args:
        kind: of the stage.
        stage: its inputs, and how it is prepared; the same on all ranks.
        context: what the rank works with. Rank 0 writes to its store and calls its callback; other ranks only
            read their parent's weights.
        pass_index: k for the k-th pruning pass, 0 for other stages.
        replicas: the ranks.

    Yields:
        Restored epochs, then trained ones. A trained epoch is in the checkpoint when rank 0 yields it.

    Returns:
        The published result on rank 0, None on other ranks.

    Raises:
        DivergedError: if training diverges; on all ranks.
        LostProcessError: if another rank has ended.
        StageDamagedError: if the parent's weights are missing or damaged; no callback was called then.
    """
    run = StageRun(kind, pass_index, stage.inputs, stage.prepare, context)
    trained = yield from train_stage(run, replicas)
    return publish(run, trained) if replicas.rank == 0 else None


def train_stage(run: StageRun, replicas: Replicas = SOLO) -> Generator[EpochMetrics, None, TrainedStage]:
    """Train and evaluate a stage, an epoch per step of the generator; rank 0 reports to the callback."""
    context, inputs = run.context, run.inputs
    callback = context.callback if replicas.rank == 0 else TrialCallback()
    checkpoint = context.store.partial(run.kind, run.key)
    # Before on_stage_start: a stage whose parent is missing has not started.
    job = run.prepare(context)
    require_known_layers(job.network)  # now, as its cost is measured after all epochs
    data_loader = context.data_loader(inputs.base, inputs.optimisation)
    callback.on_stage_start(run.kind, run.pass_index, reused=False)
    base, balanced = inputs.base, job.optimisation.class_weights == "balanced"
    job.network.dropout.p = job.optimisation.dropout
    network = context.device.prepare(job.network)
    loss = HierarchicalLoss(
        job.hierarchy,
        job.weights,
        context.device.torch_device,
        label_smoothing=job.optimisation.label_smoothing,
        class_sizes_K=data_loader.class_sizes("train", base.network.num_classes) if balanced else None,
        pathway_weights=job.network.pathway_weights,
    )
    epochs = []
    for metrics in train_epochs(
        network,
        data_loader,
        loss,
        epochs=job.epochs,
        optimizer=optimizer_builder(job.optimisation),
        schedule=schedule_builder(job.optimisation, job.rates),
        seed=job.seed,
        after_step=job.after_step,
        autocast=context.device.autocast,
        micro_batches=num_micro_batches(inputs),
        clip_norm=job.optimisation.clip_norm,
        checkpoint=checkpoint,
        replicas=replicas,
        frozen=[job.network.recognizer.get_submodule(name) for name in run.kind.frozen],
    ):
        epochs.append(metrics)
        reused = metrics.epoch < checkpoint.num_restored
        callback.on_epoch_end(run.kind, run.pass_index, metrics, reused=reused)
        yield metrics
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
        replicas=replicas,
        by_pathway=True,
    )
    seconds = sum(metrics.seconds for metrics in epochs) + time.perf_counter() - started
    return TrainedStage(job, data_loader.clip_shape, tuple(epochs), evaluation, seconds, checkpoint)


def publish(run: StageRun, trained: TrainedStage) -> StageResult:
    """Put a trained stage into the store, report it to the callback, and return its result."""
    job, evaluation = trained.job, trained.evaluation
    result = StageResult(
        kind=run.kind,
        key=run.key,
        parent_key=run.inputs.parent_key,
        parent_keys=run.inputs.parent_keys,
        pass_index=run.pass_index,
        hierarchy=job.hierarchy,
        epochs=trained.epochs,
        stack_accuracies=evaluation.stack_accuracies,
        confusion_KK=evaluation.confusion_KK,
        cost=measure_cost(job.network, trained.clip_shape),
        seconds=trained.seconds,
        reused=False,
        num_restored=trained.checkpoint.num_restored,
        stack_top5_accuracies=evaluation.stack_top5_accuracies,
        stack_mean_class_accuracies=evaluation.stack_mean_class_accuracies,
        heads=job.network.placement,
        pathway_accuracies=evaluation.pathway_accuracies,
    )
    run.context.store.publish(result, run.inputs, {**job.network.state_dict(), **job.extra_tensors})
    trained.checkpoint.remove()
    run.context.callback.on_stage_end(result)
    return result
