"""Pass 1 that all trials share, before them, and pass 1 of the refit, at the same time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.stages.cross_validation import FoldedResult
from autohier.core.trial import find_pass_1
from autohier.records.recorders.work_recorder import WorkRecorder
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.messages import EpochEnd, StageMessage
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.plans.check import open_flat

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.context import SweepContext

_SHARED, _OF_REFIT = "pass 1", "pass 1 of the refit"


def run_pass_1(
    plan: SweepPlan, context: SweepContext, share: Share, display: Display, stop: StopRequest
) -> None:
    """Put pass 1 of all trials into the stage store."""
    from autohier.sweep.execution.actors.stage_actor import run_in_stage_actor, train_folds  # noqa: PLC0415

    display.show_start(_SHARED, None)
    work = WorkRecorder(context.folder.records, _SHARED, accelerators=share.gpus)

    def show(message: StageMessage) -> None:
        display.show(_SHARED, message)
        record_epoch(work, message)

    flat = open_flat(plan, FLAT_PARAMS)
    # An actor takes seconds to start. With GPUs it may find a stage that this process, without one, cannot.
    pass_1 = None if share.gpus else find_pass_1(flat)
    if pass_1 is not None:
        work.reuse(len(pass_1.epochs), pass_1.seconds)
    elif flat.fold_bases:
        pass_1 = FoldedResult.of(train_folds(flat.config, context, share, stop, len(flat.fold_bases), show))
    else:
        pass_1 = run_in_stage_actor("pass_1", flat.config, context, share.alone(), stop, show)
    work.end()
    display.show_shared_stage(_SHARED, pass_1.accuracy, reused=pass_1.reused)


def refit_ahead(
    plan: SweepPlan, context: SweepContext, share: Share, stop: StopRequest
) -> AbstractContextManager[None]:
    """Train pass 1 of the refit during the search, if all winners have the same and accelerators are lent."""
    from autohier.sweep.execution.actors.stage_actor import train_refit_pass_1  # noqa: PLC0415

    config = plan.space.config(FLAT_PARAMS, seed=plan.seed)
    is_refit = plan.space.protocol.validation != "paper"
    if context.broker is None or not (is_refit and plan.space.shares_pass_1):
        return nullcontext()
    if config.optimisation.follows_validation:  # its learning rates are those of the winner
        return nullcontext()
    work = WorkRecorder(context.folder.records, _OF_REFIT, accelerators=share.gpus)
    return train_refit_pass_1(config, context, share, stop, partial(record_epoch, work))


def record_epoch(work: WorkRecorder, message: StageMessage) -> None:
    """Count an epoch of work outside the trials."""
    if isinstance(message, EpochEnd):
        work.add_epoch(message.stage, message.accuracy, message.seconds, reused=message.reused)
