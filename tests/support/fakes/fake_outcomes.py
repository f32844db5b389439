"""Outcomes of trials that never ran: whole, consistent and derived from a few numbers.

Twelve classes in superclasses k % 2 and k % 4, so that neither level is contiguous in the classes' own order.
Every class has 10 validation clips; wrong ones go to the class 4 further on, in the same superclasses.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from autohier.config.search.ranges import SearchRanges
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.protocol import ProtocolSettings
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_2, PRUNE
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import TrialOutcome
from autohier.records.schema import TrialRow
from autohier.records.trial_rows import started_row
from support.fakes.fake_stages import inputs_of

NUM_CLASSES = 12
CLIPS_PER_CLASS = 10
NUM_CLIPS = NUM_CLASSES * CLIPS_PER_CLASS
EPOCHS_PER_STAGE = 2
SECONDS_PER_STAGE = 3.0
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARAMS = Hyperparameters(superclasses=(2, 4), weight_ratio=0.5, scope="layerwise", ratio=0.1, passes=3)
FLAT = Hierarchy.flat(NUM_CLASSES)
NESTED = Hierarchy.from_lists([[k % 2 for k in range(12)], [k % 4 for k in range(12)], list(range(12))])


def fake_config(params: Hyperparameters = PARAMS, seed: int = 0) -> TrialConfig:
    """A setting of the demo dataset."""
    search = SearchRanges(variants={params.variant: ()} if params.variant else {})
    protocol = ProtocolSettings(validation="clean")
    space = SearchSpace(
        name="demo", dataset="demo", num_classes=NUM_CLASSES, protocol=protocol, search=search
    )
    return space.config(params, seed=seed)


def fake_confusion(num_right: int) -> npt.NDArray[np.int64]:
    """120 clips of which ``num_right`` are right."""
    confusion_KK = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    for k in range(NUM_CLASSES):
        right = num_right // NUM_CLASSES + (k < num_right % NUM_CLASSES)
        confusion_KK[k, k] = right
        confusion_KK[k, (k + 4) % NUM_CLASSES] = CLIPS_PER_CLASS - right
    return confusion_KK


def fake_epoch(epoch: int, num_right: int, num_stacks: int) -> EpochMetrics:
    """Losses that fall with the epochs; stacks in front are easier."""
    accuracy = num_right / NUM_CLIPS
    return EpochMetrics(
        epoch=epoch,
        learning_rate=1e-3,
        loss=2.0 / (epoch + 1),
        stack_losses=tuple(1.0 + stack for stack in range(num_stacks)),
        validation_loss=3.0 / (epoch + 1),
        stack_accuracies=(*([1.0] * (num_stacks - 1)), accuracy),
        seconds=1.0,
        num_clips=480,
        **fake_levels(num_right, num_stacks),
    )


class FakeLevels(TypedDict):
    """Accuracies of every level, by the names of the fields that hold them."""

    stack_top5_accuracies: tuple[float, ...]
    stack_mean_class_accuracies: tuple[float, ...]


def fake_levels(num_right: int, num_stacks: int) -> FakeLevels:
    """Half of the wrong clips have their class among five guesses; all classes have equally many clips."""
    front, accuracy = (1.0,) * (num_stacks - 1), num_right / NUM_CLIPS
    return {
        "stack_top5_accuracies": (*front, (1 + accuracy) / 2),
        "stack_mean_class_accuracies": (*front, accuracy),
    }


def fake_stage(
    kind: StageKind | str,
    pass_index: int,
    num_right: int,
    *,
    parent_key: str | None = None,
    reused: bool = False,
) -> StageResult:
    """A finished stage with ``num_right`` of 120 validation clips right; a pruning pass removes a tenth."""
    kind = find_stage_kind(kind) if isinstance(kind, str) else kind
    hierarchy = FLAT if kind.is_flat else NESTED
    num_stacks = len(hierarchy.assignments)
    return StageResult(
        kind=kind,
        key=stage_key(kind, inputs_of(kind, pass_index, parent_key, hierarchy, num_right)),
        parent_key=parent_key,
        pass_index=pass_index,
        hierarchy=hierarchy,
        epochs=tuple(fake_epoch(epoch, num_right, num_stacks) for epoch in range(EPOCHS_PER_STAGE)),
        stack_accuracies=(*([1.0] * (num_stacks - 1)), num_right / NUM_CLIPS),
        confusion_KK=fake_confusion(num_right),
        cost=Cost(parameters=1_000_000 - 100_000 * pass_index, multiply_adds=2_000_000_000 >> pass_index),
        seconds=SECONDS_PER_STAGE,
        reused=reused,
        **fake_levels(num_right, num_stacks),
    )


def fake_inputs(stage: StageResult) -> StageInputs:
    """Return the inputs of a fake stage, from which its key follows."""
    num_right = int(stage.confusion_KK.trace())
    return inputs_of(stage.kind, stage.pass_index, stage.parent_key, stage.hierarchy, num_right)


def fake_outcome(
    pass_1: int = 72, chain: tuple[int, ...] = (78, 81), *, params: Hyperparameters = PARAMS, seed: int = 0
) -> TrialOutcome:
    """A complete trial; pass 1 was found in the store.

    Args:
        pass_1: validation clips, of 120, that pass 1 has right.
        chain: those that pass 2 and each pruning pass have right.
        params: what was drawn.
        seed: of the trial.
    """
    stages = [fake_stage("pass-1", 0, pass_1, reused=True)]
    for index, num_right in enumerate(chain):
        stages.append(fake_stage(PRUNE if index else PASS_2, index, num_right, parent_key=stages[-1].key))
    return TrialOutcome(fake_config(params, seed), tuple(stages), chain.index(max(chain)))


def fake_row(trial: str = "t0000", params: Hyperparameters = PARAMS, *, seed: int = 0) -> TrialRow:
    """The row of a trial that begins; its number is the one in its name."""
    number = int(trial[1:])
    return started_row(
        fake_config(params, seed), trial=trial, number=number, trial_index=number, source="sampled", at=START
    )


def replay(outcome: TrialOutcome, callback: TrialCallback) -> None:
    """Report a trial as it would have reported itself."""
    for stage in outcome.stages:
        callback.on_stage_start(stage.kind, stage.pass_index, reused=stage.reused)
        for metrics in stage.epochs:
            callback.on_epoch_end(stage.kind, stage.pass_index, metrics, reused=stage.reused)
        callback.on_stage_end(stage)
