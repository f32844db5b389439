"""Outcomes of trials that never ran: whole, consistent and derived from a few numbers.

Twelve classes in superclasses k % 2 and k % 4, so that neither level is contiguous in the classes' own order.
Every class has 10 validation clips; wrong ones go to the class 4 further on, in the same superclasses.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.stages.reporter import Reporter
from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import TrialOutcome
from autohier.digest import digest
from autohier.records.rows import begun_row
from autohier.records.schema import TrialRow
from autohier.settings.choice import Choice
from autohier.settings.search import SearchRanges
from autohier.settings.space import Setting, Space

NUM_CLASSES = 12
CLIPS_PER_CLASS = 10
NUM_CLIPS = NUM_CLASSES * CLIPS_PER_CLASS
EPOCHS_PER_STAGE = 2
SECONDS_PER_STAGE = 3.0
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHOICE = Choice(superclasses=(2, 4), weight_ratio=0.5, scope="by-layer", ratio=0.1, passes=3)
FLAT = Hierarchy.flat(NUM_CLASSES)
NESTED = Hierarchy.from_lists([[k % 2 for k in range(12)], [k % 4 for k in range(12)], list(range(12))])


def fake_setting(choice: Choice = CHOICE, seed: int = 0) -> Setting:
    """A setting of the demo dataset."""
    search = SearchRanges(variants={choice.variant: ()} if choice.variant else {})
    space = Space(name="demo", dataset="demo", num_classes=NUM_CLASSES, search=search)
    return space.setting(choice, seed=seed)


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
    )


def fake_stage(
    kind: StageKind, pass_index: int, num_right: int, *, parent_key: str | None = None, reused: bool = False
) -> StageResult:
    """A finished stage with ``num_right`` of 120 validation clips right; a pruning pass removes a tenth."""
    hierarchy = FLAT if kind == "pass-1" else NESTED
    num_stacks = len(hierarchy.assignments)
    return StageResult(
        kind=kind,
        key=digest([kind, pass_index, num_right, parent_key]),
        parent_key=parent_key,
        pass_index=pass_index,
        hierarchy=hierarchy,
        epochs=tuple(fake_epoch(epoch, num_right, num_stacks) for epoch in range(EPOCHS_PER_STAGE)),
        stack_accuracies=(*([1.0] * (num_stacks - 1)), num_right / NUM_CLIPS),
        confusion_KK=fake_confusion(num_right),
        cost=Cost(parameters=1_000_000 - 100_000 * pass_index, multiply_adds=2_000_000_000 >> pass_index),
        seconds=SECONDS_PER_STAGE,
        reused=reused,
    )


def fake_outcome(
    pass_1: int = 72, chain: tuple[int, ...] = (78, 81), *, choice: Choice = CHOICE, seed: int = 0
) -> TrialOutcome:
    """A complete trial; pass 1 was found in the store.

    Args:
        pass_1: validation clips, of 120, that pass 1 has right.
        chain: those that pass 2 and each pruning pass have right.
        choice: what was drawn.
        seed: of the trial.
    """
    stages = [fake_stage("pass-1", 0, pass_1, reused=True)]
    for index, num_right in enumerate(chain):
        kind: StageKind = "prune" if index else "pass-2"
        stages.append(fake_stage(kind, index, num_right, parent_key=stages[-1].key))
    return TrialOutcome(fake_setting(choice, seed), tuple(stages), chain.index(max(chain)))


def fake_row(trial: str = "t0000", choice: Choice = CHOICE, *, seed: int = 0) -> TrialRow:
    """The row of a trial that begins; its number is the one in its name."""
    number = int(trial[1:])
    return begun_row(
        fake_setting(choice, seed), trial=trial, number=number, ask=number, source="drawn", at=START
    )


def replay(outcome: TrialOutcome, reporter: Reporter) -> None:
    """Report a trial as it would have reported itself."""
    for stage in outcome.stages:
        reporter.stage_started(stage.kind, stage.pass_index, reused=stage.reused)
        for metrics in stage.epochs:
            reporter.epoch_finished(stage.kind, stage.pass_index, metrics, reused=stage.reused)
        reporter.stage_finished(stage)
