"""Running a stage: found in the store and replayed, or leased, trained (on), measured and published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from autohier.core.failures import is_out_of_memory
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import measure_cost
from autohier.core.stages.forms import open_form
from autohier.core.stages.inputs import (
    Basis,
    NetworkInputs,
    StageInputs,
    in_micro_batches,
    num_micro_batches,
    stage_key,
)
from autohier.core.stages.leases import NO_LEASES, Leases
from autohier.core.stages.reporter import Reporter
from autohier.core.stages.result import StageKind, StageResult, stage_label
from autohier.core.stages.store import StageStore
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.devices import Device
from autohier.core.training.evaluation import evaluate
from autohier.core.training.feed import Feed
from autohier.core.training.loop import EpochListener, train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics
from autohier.data.splits import split_clips
from autohier.data.store.reader import ClipStore
from autohier.errors import OutOfMemoryError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.settings.parts import OptimisationSettings

_LOG = logging.getLogger(__name__)
_HALVES = 2


@dataclass(frozen=True, slots=True)
class StageContext:
    """What stages work with: the stage store, the clips, the device, the listener; it holds no settings.

    A stage reads its settings from its inputs alone, so that what it depends on is in its key.
    """

    store: StageStore
    clips: ClipStore
    """The clips whose fingerprint is Basis.data."""
    device: Device
    """The device whose numerics are Basis.numerics."""
    reporter: Reporter
    num_threads: int = 1
    weights_path: Path | None = None
    """The 2D weights that NetworkInputs.weights_sha256 names."""
    leases: Leases = NO_LEASES
    """Who trains a stage that several processes need."""

    def feed(self, basis: Basis, batch_size: int) -> Feed:
        """The clips of a stage, split and sampled as its inputs say."""
        split = split_clips(
            self.clips.clips,
            self.clips.manifest.protocol(basis.protocol.name),
            validation="paper" if basis.protocol.validation == "paper" else "clean",
            held_out=basis.protocol.held_out or (),
            seed=basis.seed,
        )
        return Feed(
            open_form(basis.clips, self.clips, self.clips.manifest),
            split.training_on_all() if basis.all_training_clips else split,
            test_sets=basis.clips.test_sets,
            batch_size=batch_size,
            device=self.device.torch_device,
            num_threads=self.num_threads,
        )

    def build(self, network: NetworkInputs, hierarchy: Hierarchy, *, seed: int) -> HierarchicalRecognizer:
        """The recognizer in its initial state, with a head for every assignment of the hierarchy."""
        return self.build_headed(network, hierarchy.num_superclasses[:-1], seed=seed)

    def build_headed(
        self, network: NetworkInputs, superclasses: Sequence[int], *, seed: int
    ) -> HierarchicalRecognizer:
        """The same for superclass counts alone."""
        return build_recognizer(
            network.name,
            num_classes=network.num_classes,
            superclasses=superclasses,
            weights=self.weights_path,
            seed=seed,
            **network.options,
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a stage is about to train: a network, what it is scored on, and what holds after each step."""

    network: HierarchicalRecognizer
    hierarchy: Hierarchy
    weights: tuple[float, ...]
    optimisation: OptimisationSettings
    epochs: int
    rates: tuple[float, ...]
    seed: int
    after_step: Callable[[], None] = lambda: None
    extra_tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """Kept beside the network's own weights."""


def run_stage(
    kind: StageKind,
    inputs: StageInputs,
    context: StageContext,
    prepare: Callable[[], Lesson],
    *,
    parent_key: str | None = None,
    pass_index: int = 0,
) -> StageResult:
    """Give a stage's result: from the store where it is there, otherwise by training it.

    Where another process trains it already, its result is waited for; where that process dies, the stage
    is trained on after the last epoch that it kept.

    Where memory runs out, the stage begins anew with every batch computed in two halves. That gives other
    numbers, so that the stage has another key; where it is in the store under that one, it is taken from
    there at once.

    Args:
        kind: of the stage.
        inputs: all that the stage depends on; its key follows from them.
        context: what it works with.
        prepare: called only where the stage must be trained, each time it is.
        parent_key: the stage whose weights it starts from.
        pass_index: k for the k-th pruning pass.

    Raises:
        DivergedError: where training diverges.
        OutOfMemoryError: where memory does not hold half a batch either, or a batch is one clip.
        StageDamagedError: where the stage it starts from is gone or damaged; nothing is reported then.
    """
    batch_size = inputs.optimisation.batch_size
    order = _Order(kind, inputs, context, prepare, parent_key, pass_index)
    ways = [order, replace(order, inputs=in_micro_batches(inputs, _HALVES))][:batch_size]
    # One that is in the store first; it may turn out to be damaged.
    for way in sorted(ways, key=lambda way: not context.store.holds(kind, way.key)):
        try:
            return _find_or_compute(way)
        except (MemoryError, OSError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            part = -(-batch_size // num_micro_batches(way.inputs))
            told = f"{type(error).__name__}: {error} ({part} of {batch_size} clips at a time)"
        # The error is gone here, and with it the calls that it came through, which held the tensors.
        context.device.free_memory()
        _LOG.warning("%s ran out of memory: %s", stage_label(kind, pass_index), told)
    raise OutOfMemoryError(
        f"{stage_label(kind, pass_index)} must fit the memory",
        got=told,
        remedy="lower optimisation.batch_size, clips.num_frames or the size of frames or maps",
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """A stage that is asked for; see run_stage."""

    kind: StageKind
    inputs: StageInputs
    context: StageContext
    prepare: Callable[[], Lesson]
    parent_key: str | None
    pass_index: int

    @property
    def key(self) -> str:
        return stage_key(self.kind, self.inputs)


def _find_or_compute(order: _Order) -> StageResult:
    kind, key, context, pass_index = order.kind, order.key, order.context, order.pass_index
    found = context.store.find(kind, key)
    if found is None:
        with context.leases.hold(
            f"{kind}-{key}", lambda holder: context.reporter.stage_waits(kind, pass_index, holder)
        ):
            # Whoever held the lease before may have published the stage.
            found = context.store.find(kind, key)
            if found is None:
                return _compute(order)
    context.reporter.stage_started(kind, pass_index, reused=True)
    with suppress(OSError):  # a store that may only be read serves all the same
        context.store.partial(kind, key).remove()  # left by a slower process that trained the same stage
    for metrics in found.epochs:
        context.reporter.epoch_finished(kind, pass_index, metrics, reused=True)
    context.reporter.stage_finished(found)
    return found


def _compute(order: _Order) -> StageResult:
    kind, key, context, pass_index = order.kind, order.key, order.context, order.pass_index
    inputs = order.inputs
    checkpoint = context.store.partial(kind, key)
    # Told after it is prepared: a stage whose parent is gone has not begun.
    lesson = order.prepare()
    feed = context.feed(inputs.basis, inputs.optimisation.batch_size)
    context.reporter.stage_started(kind, pass_index, reused=False)
    network = context.device.prepare(lesson.network)
    loss = HierarchicalLoss(lesson.hierarchy, lesson.weights, context.device.torch_device)
    epochs = _train(
        lesson,
        network,
        feed,
        loss,
        context.device,
        num_micro_batches(inputs),
        checkpoint,
        partial(context.reporter.epoch_finished, kind, pass_index),
    )
    started = time.perf_counter()
    evaluation = evaluate(
        network,
        feed,
        "validation",
        loss,
        num_sets=feed.test_sets,
        autocast=context.device.autocast,
        micro_batches=num_micro_batches(inputs),
    )
    result = StageResult(
        kind=kind,
        key=key,
        parent_key=order.parent_key,
        pass_index=pass_index,
        hierarchy=lesson.hierarchy,
        epochs=epochs,
        stack_accuracies=evaluation.stack_accuracies,
        confusion_KK=evaluation.confusion_KK,
        cost=measure_cost(lesson.network, feed.clip_shape),
        seconds=sum(metrics.seconds for metrics in epochs) + time.perf_counter() - started,
        reused=False,
        num_restored=checkpoint.num_restored,
    )
    context.store.publish(result, inputs, {**lesson.network.state_dict(), **lesson.extra_tensors})
    checkpoint.remove()
    context.reporter.stage_finished(result)
    return result


def _train(
    lesson: Lesson,
    network: nn.Module,
    feed: Feed,
    loss: HierarchicalLoss,
    device: Device,
    micro_batches: int,
    checkpoint: EpochCheckpoint,
    on_epoch: EpochListener,
) -> tuple[EpochMetrics, ...]:
    return train(
        network,
        feed,
        loss,
        epochs=lesson.epochs,
        learning_rate=lesson.optimisation.learning_rate,
        weight_decay=lesson.optimisation.weight_decay,
        schedule=lesson.optimisation.schedule,
        lr_patience=lesson.optimisation.lr_patience,
        lr_factor=lesson.optimisation.lr_factor,
        seed=lesson.seed,
        rates=lesson.rates,
        after_step=lesson.after_step,
        on_epoch=on_epoch,
        autocast=device.autocast,
        micro_batches=micro_batches,
        checkpoint=checkpoint,
    )
