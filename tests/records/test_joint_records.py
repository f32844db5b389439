"""Records of a trial with bases: several stages before the chain, each measured at its own level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.joint import ELEMENT_BASE, EVENT_BASE, JOINT, SET_BASE
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome
from autohier.records.reader import chain_rows, read_records
from autohier.records.rows import stage_rows
from autohier.records.tensorboard.callback import TensorBoardCallback
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from support.fakes.fake_outcomes import MINUTE, NESTED, START, fake_config, fake_outcome, fake_row, replay


def as_base(stage: StageResult, kind: StageKind, level: int, *, accuracy: float) -> StageResult:
    """Return a fake stage as a base of a level: it gets this share of the clips right in every epoch."""
    hierarchy = NESTED.level(level)
    return replace(
        stage,
        kind=kind,
        key=f"{level}" * 64,
        hierarchy=hierarchy,
        confusion_KK=np.eye(hierarchy.num_targets, dtype=np.int64),
        stack_accuracies=(accuracy,),
        epochs=tuple(replace(epoch, stack_accuracies=(accuracy,)) for epoch in stage.epochs),
    )


@pytest.fixture
def outcome() -> TrialOutcome:
    """A complete trial whose bases of element, set and event have 60%, 80% and 90% right."""
    flat, joint, pruned = fake_outcome(72, (78, 81)).stages
    bases = (
        as_base(flat, ELEMENT_BASE, 2, accuracy=0.6),
        as_base(flat, SET_BASE, 1, accuracy=0.8),
        as_base(flat, EVENT_BASE, 0, accuracy=0.9),
    )
    joint = replace(joint, kind=JOINT, parent_keys=tuple(base.key for base in reversed(bases)))
    return TrialOutcome(fake_config(), (*bases, joint, pruned), kept_pass=1)


def test_the_chain_of_a_trial_follows_its_bases(outcome: TrialOutcome, tmp_path: Path) -> None:
    RecordWriter(tmp_path).write_ended(
        complete_row(fake_row("t0000"), outcome, START + MINUTE), outcome.stages
    )
    records = read_records(tmp_path)
    (row,) = records.trials
    assert (row.pass_1_accuracy, row.pass_2_accuracy, row.accuracy) == (0.6, 78 / 120, 81 / 120)
    assert (row.kept_pass, row.passes_trained) == (1, 1)
    labels = ["element base", "set base", "event base", "joint", "prune 1"]
    assert [stage.label for stage in records.stages_of("t0000")] == labels
    assert [stage.label for stage in records.chain_of("t0000")] == labels[3:]
    assert [stage.label for stage in records.up_to_pass("t0000", 0)] == labels[:4]
    assert records.kept_label(row) == "prune 1"
    joint = records.chain_of("t0000")[0]
    assert joint.parent_keys == ("0" * 64, "1" * 64, "2" * 64)


def test_records_of_older_versions_have_one_stage_before_the_chain() -> None:
    rows = stage_rows("t0000", fake_outcome(72, (78, 81)).stages)
    older = [replace(row, is_flat=None) for row in rows]
    assert [row.label for row in chain_rows(older)] == ["pass 2", "prune 1"]
    assert [row.label for row in chain_rows(rows)] == ["pass 2", "prune 1"]


def test_curves_of_a_base_are_those_of_its_level(outcome: TrialOutcome, tmp_path: Path) -> None:
    callback = TensorBoardCallback(tmp_path, outcome.config.params)
    replay(outcome, callback)
    callback.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()

    def values(tag: str) -> list[float]:
        return [event.value for event in events.Scalars(tag)]

    # Levels 1, 2 and 3 are events, sets and elements; the stages of the chain measure all three.
    assert values("stage/accuracy_stack/1") == pytest.approx([0.9, 1.0, 1.0])
    assert values("stage/accuracy_stack/2") == pytest.approx([0.8, 1.0, 1.0])
    assert values("stage/accuracy_stack/3") == pytest.approx([0.6, 78 / 120, 81 / 120])
    # Accuracies in events and sets are no accuracies in the classes.
    assert max(values("best_validation")) == pytest.approx(81 / 120)
    assert len(events.Images("confusion")) == 5
