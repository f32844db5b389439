"""Running one stage: reuse it from the store, or lease, train, measure and publish it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial

from autohier.core.failures import is_out_of_memory
from autohier.core.stages.context import StageContext
from autohier.core.stages.inputs import in_micro_batches, num_micro_batches
from autohier.core.stages.kinds.base import PlannedStage, StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.training import StageRun, publish, train_stage
from autohier.errors import OutOfMemoryError

_LOG = logging.getLogger(__name__)
_HALVES = 2


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
    whole = StageRun(kind, pass_index, stage.inputs, stage.prepare, context)
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


def _reuse_or_train(run: StageRun) -> StageResult:
    kind, key, callback = run.kind, run.key, run.context.callback
    cached = run.context.store.find(kind, key)
    if cached is None:
        with run.context.leases.hold(
            f"{kind.name}-{key}", partial(callback.on_stage_wait, kind, run.pass_index)
        ):
            # The last holder of the lease may have published the stage.
            cached = run.context.store.find(kind, key)
            if cached is None:
                return _train(run)
    _replay(run, cached)
    return cached


def _replay(run: StageRun, cached: StageResult) -> None:
    """Report a stored stage to the callback with its recorded epochs."""
    callback = run.context.callback
    callback.on_stage_start(run.kind, run.pass_index, reused=True)
    # A slower process that trained the same stage leaves a checkpoint. The store may be read-only.
    with suppress(OSError):
        run.context.store.partial(run.kind, run.key).remove()
    for metrics in cached.epochs:
        callback.on_epoch_end(run.kind, run.pass_index, metrics, reused=True)
    callback.on_stage_end(cached)


def _train(run: StageRun) -> StageResult:
    if run.context.executor is not None:
        return run.context.executor.train(run)
    epochs = train_stage(run)
    while True:
        try:
            next(epochs)
        except StopIteration as end:
            return publish(run, end.value)
